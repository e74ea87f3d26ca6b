"""What stands before a Docker host's containers: bytes go where the file leads, both ways, to the last one."""

import asyncio
import os

import pytest
from slipway.infra.platforms.docker import tcp_proxy as front


async def server(name):
    """Answers each connection with its name and what it got, once the client has ended."""

    async def answer(reader, writer):
        writer.write(name + await reader.read())
        writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", 0)


async def asked(port, sent):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


@pytest.fixture
def place(tmp_path, monkeypatch, free_port):
    monkeypatch.setattr(front, "TARGET", tmp_path / "target")
    monkeypatch.setattr(front, "PORT", free_port)
    monkeypatch.setattr(front, "PAUSE", 0.01)
    return tmp_path / "target"


def running(monkeypatch, scenario):
    async def main():
        backend = await server(b"first")
        monkeypatch.setattr(front, "TO", backend.sockets[0].getsockname()[1])
        task = asyncio.create_task(front.main())
        await asyncio.sleep(0.05)
        try:
            await asyncio.wait_for(scenario(backend), 20)
        finally:
            task.cancel()
            backend.close()

    asyncio.run(main())


@pytest.mark.parametrize("size", [1, 5_000_000])
def test_all_bytes_arrive_and_come_back(place, monkeypatch, size):
    sent = os.urandom(size)
    place.write_text("127.0.0.1")

    async def scenario(_):
        assert await asked(front.PORT, sent) == b"first" + sent

    running(monkeypatch, scenario)


def test_new_connections_go_where_the_file_leads_and_open_ones_stay(place, monkeypatch):
    place.write_text("127.0.0.1")

    async def scenario(backend):
        reader, writer = await asyncio.open_connection("127.0.0.1", front.PORT)
        writer.write(b"a")
        await asyncio.sleep(0.1)
        second = await server(b"second")
        monkeypatch.setattr(front, "TO", second.sockets[0].getsockname()[1])
        assert await asked(front.PORT, b"b") == b"secondb"
        writer.write_eof()
        assert await reader.read() == b"firsta"
        writer.close()
        second.close()

    running(monkeypatch, scenario)


def test_callers_wait_for_a_target_and_a_file_that_can_not_be_read_changes_nothing(place, monkeypatch):
    async def scenario(_):
        waiting = asyncio.create_task(asked(front.PORT, b"x"))
        await asyncio.sleep(0.1)
        place.write_text("127.0.0.1")
        assert await waiting == b"firstx"
        place.unlink()
        assert await asked(front.PORT, b"y") == b"firsty"
        place.write_bytes(b"\xff\xfe")
        assert await asked(front.PORT, b"y") == b"firsty"
        place.unlink()
        place.mkdir()
        assert await asked(front.PORT, b"y") == b"firsty"

    running(monkeypatch, scenario)
