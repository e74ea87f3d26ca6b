"""Runs Python programs for the Pulumi engine: the `pulumi-language-python` of an engine built from source.

Usage: language_host.py EXEC_SCRIPT [FLAGS...] ENGINE_ADDRESS. It prints the port of its gRPC service on the
first line, and lives as long as the engine that started it.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

# Programs start from a process full of gRPC threads; gRPC's own handlers for that only add warnings.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

import grpc
import host_project as project
from google.protobuf.empty_pb2 import Empty
from host_processes import Processes, output
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

ALREADY_SHOWN = 32  # the exec script's exit code for "the user has seen the error"
NO_PLUGINS = "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


class Host(language_pb2_grpc.LanguageRuntimeServicer):
    """The engine's calls needed to run, install and describe a Python program; no code generation."""

    def __init__(self, exec_script: str, engine: str, processes: Processes) -> None:
        self.exec_script, self.engine, self.processes = exec_script, engine, processes

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.engine = request.engine_address
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=metadata.version("pulumi"))

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.processes.stop_all()
        return Empty()

    def Run(self, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            python = project.interpreter(request.info)
        except FileNotFoundError as error:
            return language_pb2.RunResponse(error=str(error))
        flags = {
            "monitor": request.monitor_address,
            "engine": self.engine,
            "project": request.project,
            "stack": request.stack,
            "pwd": request.pwd,
            "dry_run": "true" if request.dryRun else "false",
            "parallel": str(request.parallel),
            "organization": request.organization,
            "root_directory": request.info.root_directory,
        }
        words = [word for name, value in flags.items() for word in (f"--{name}", value)]
        env = project.environment(python, os.environ)
        env["PULUMI_CONFIG"] = json.dumps(dict(request.config))
        env["PULUMI_CONFIG_SECRET_KEYS"] = json.dumps(list(request.configSecretKeys))
        command = [python, "-u", self.exec_script, *words, entry(request.info), *request.args]
        code = self.processes.start(command, context, env=env).wait()
        if code == ALREADY_SHOWN:
            return language_pb2.RunResponse(bail=True)
        how = f"was ended by signal {-code}" if code < 0 else f"exited with code {code}"
        return language_pb2.RunResponse(error=f"the program {how}" if code else "")

    def RunPlugin(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        try:
            python = project.interpreter(request.info)
        except FileNotFoundError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
            raise  # not reached: abort has raised
        if request.kind == "analyzer":
            what = ["-m", "pulumi.policy", *request.args, request.info.program_directory]
        else:
            what = [entry(request.info), *request.args]
        given = dict(pair.split("=", 1) for pair in request.env)
        env, folder = project.environment(python, given or os.environ), request.pwd or None
        process = self.processes.start([python, "-u", *what], context, env=env, cwd=folder, **PIPES)
        for name, chunk in output(process):
            part: dict[str, Any] = {name: chunk}
            yield language_pb2.RunPluginResponse(**part)
        yield language_pb2.RunPluginResponse(exitcode=process.wait())

    def InstallDependencies(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        folder = request.info.program_directory
        for command in project.install_commands(request.info):
            env = project.environment(command[0], os.environ)
            process = self.processes.start(command, context, env=env, cwd=folder, **PIPES)
            for name, chunk in output(process):
                yield language_pb2.InstallDependenciesResponse(**{name: chunk})
            if code := process.wait():
                tool = Path(command[0]).name
                context.abort(grpc.StatusCode.INTERNAL, f"{tool} {command[2]} exited with code {code}")

    def About(self, request: Any, context: grpc.ServicerContext) -> Any:
        python = project.interpreter(request.info)
        version = subprocess.run([python, "--version"], capture_output=True, text=True).stdout.split()[-1]
        toolchain = {"toolchain": project.option(request.info, "toolchain") or "pip"}
        return language_pb2.AboutResponse(executable=python, version=version, metadata=toolchain)

    def GetProgramDependencies(self, request: Any, context: grpc.ServicerContext) -> Any:
        found = project.dependencies(request.info, request.transitiveDependencies)
        listed = [language_pb2.DependencyInfo(name=name, version=version) for name, version in found]
        return language_pb2.GetProgramDependenciesResponse(dependencies=listed)

    def GetRequiredPackages(self, request: Any, context: grpc.ServicerContext) -> Any:
        # `pulumi install` fetches what is named here even where fetching is switched off.
        wanted = [] if os.environ.get(NO_PLUGINS) == "true" else project.providers(request.info)
        return language_pb2.GetRequiredPackagesResponse(packages=list(wanted))


def entry(info: Any) -> str:
    """The file or folder to run; the engine gives `.` for the program's folder itself."""
    return str(Path(info.program_directory, info.entry_point))


def main() -> None:
    stop = threading.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, lambda *_: stop.set())
    engine, processes = os.getppid(), Processes()
    server = grpc.server(ThreadPoolExecutor(16), options=[("grpc.max_receive_message_length", -1)])
    host = Host(sys.argv[1], sys.argv[-1], processes)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    while not stop.wait(0.5) and os.getppid() == engine:
        pass
    processes.stop_all()
    server.stop(grace=0)
    os._exit(0)  # a normal exit waits for gRPC's threads


if __name__ == "__main__":
    main()
