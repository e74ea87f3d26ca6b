"""Who asks behind proxies, however they write it down."""

import pytest
from slipway.service.access.access_file import parse_rules
from slipway.service.access.hops import UNKNOWN, client_address, neighbourhood, within

from tests.callers import entry

RULES = parse_rules({"keys": [entry()], "trustedProxies": ["10.0.0.0/8", "2001:db8:ffff::/48"], "allow": ["::/0"]})
PROXY = "10.0.0.1"
LISTED = {
    "192.0.2.7": "192.0.2.7",
    "192.0.2.7:41234": "192.0.2.7",
    "2001:db8::7": "2001:db8::7",
    "2001:DB8:0::7": "2001:db8::7",
    "[2001:db8::7]": "2001:db8::7",
    "[2001:db8::7]:41234": "2001:db8::7",
    "::ffff:192.0.2.7": "192.0.2.7",
    "[::ffff:192.0.2.7]:80": "192.0.2.7",
    "3.3.3.3,192.0.2.7, 10.0.0.2": "192.0.2.7",
    "3.3.3.3, 192.0.2.7:9, 10.0.0.2:443, [2001:db8:ffff::2]:443": "192.0.2.7",
    "10.0.0.3, 10.0.0.2": "10.0.0.3",  # nothing but proxies
    "192.0.2.7, ,": "192.0.2.7",
    "": PROXY,
    "unknown": UNKNOWN,
    "192.0.2.7, unknown": UNKNOWN,
    "192.0.2.7, _hidden, 10.0.0.2": UNKNOWN,
    "192.0.2.7:": UNKNOWN,
    "192.0.2.7:123456": UNKNOWN,
    "192.0.2.7:8o": UNKNOWN,
    "192.0.2.007": UNKNOWN,
    "192.0.2": UNKNOWN,
    "[192.0.2.7]x": UNKNOWN,
    "[2001:db8::7": UNKNOWN,
    "2001:db8::7]": UNKNOWN,
    "2001:db8::7:41234:1:1:1:1:1": UNKNOWN,
    '"192.0.2.7"': UNKNOWN,
    "192.0.2.7\u0660": UNKNOWN,
    "192.0.2.7," + "10.0.0.2," * 200: UNKNOWN,
}
FORWARDED = {
    "for=192.0.2.7": "192.0.2.7",
    "For=192.0.2.7;Proto=https;By=10.0.0.1;Host=evil.example": "192.0.2.7",
    "proto=https; for=192.0.2.7 ; by=10.0.0.1": "192.0.2.7",
    'for="192.0.2.7:47011"': "192.0.2.7",
    "for=192.0.2.7:47011": "192.0.2.7",
    'for="[2001:db8::7]:4711"': "2001:db8::7",
    'for="\\[2001:db8::7\\]"': "2001:db8::7",
    'for="192.0.2.7:_port"': "192.0.2.7",
    "for=3.3.3.3, for=192.0.2.7, for=10.0.0.2": "192.0.2.7",
    'for=3.3.3.3,for="[2001:db8::7]:1";by="a,b;for=1.2.3.4",,for=10.0.0.2;': "2001:db8::7",
    "": PROXY,
    "for=unknown": UNKNOWN,
    "for=_hidden": UNKNOWN,
    "proto=https": UNKNOWN,
    "for=192.0.2.7, proto=https": UNKNOWN,
    "for=192.0.2.7;for=3.3.3.3": UNKNOWN,
    "for=": UNKNOWN,
    'for="192.0.2.7': UNKNOWN,
    'for="192.0.2.7"x': UNKNOWN,
    "192.0.2.7": UNKNOWN,
    "for =192.0.2.7": UNKNOWN,
    "for=192.0.2.7;" * 200: UNKNOWN,
    "for=192.0.2.7," * 200: UNKNOWN,
}


def address(*lines, peer=PROXY):
    return client_address(peer, [(name.encode(), value.encode("utf-8")) for name, value in lines], RULES.proxies)


@pytest.mark.parametrize(("text", "expected"), LISTED.items())
def test_x_forwarded_for_names_the_client(text, expected):
    assert address(("x-forwarded-for", text)) == expected


@pytest.mark.parametrize(("text", "expected"), FORWARDED.items())
def test_forwarded_names_the_client(text, expected):
    assert address(("forwarded", text)) == expected


def test_lines_of_a_header_are_one_list():
    assert address(("x-forwarded-for", "3.3.3.3"), ("host", "x"), ("x-forwarded-for", "192.0.2.7")) == "192.0.2.7"
    assert address(("forwarded", "for=3.3.3.3"), ("forwarded", "for=192.0.2.7, for=10.0.0.2")) == "192.0.2.7"


def test_who_is_no_proxy_is_not_believed():
    for name, text in (("x-forwarded-for", "192.0.2.7"), ("forwarded", "for=192.0.2.7"), ("forwarded", "nonsense")):
        assert address((name, text), peer="203.0.113.9") == "203.0.113.9"
        assert address((name, text), peer="::ffff:203.0.113.9") == "203.0.113.9"
        assert address((name, text), peer="") == UNKNOWN


def test_a_header_that_the_proxy_only_passes_on_changes_nobodys_address():
    real, made_up = ("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=192.0.2.7")
    assert address(real, made_up) == UNKNOWN
    assert address(real, ("forwarded", "nonsense")) == UNKNOWN
    assert address(real, ("forwarded", 'for="203.0.113.9:80"')) == "203.0.113.9"


def test_an_address_that_nobody_knows_is_allowed_nowhere_and_has_one_limit():
    assert not within(UNKNOWN, RULES.allow) and within("2001:db8::7", RULES.allow)
    assert neighbourhood(UNKNOWN) == UNKNOWN
    assert neighbourhood("192.0.2.7") == "192.0.2.7"
    assert neighbourhood("2001:db8::7") == neighbourhood("2001:db8::ffff:7") == "2001:db8::/64"
