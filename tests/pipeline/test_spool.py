"""The spool's reader: true order, whole deliveries, and nothing lost that cannot be read."""

import json
import os
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hivemind_cli.core.ids import new_id
from hivemind_cli.core.paths import Paths
from hivemind_cli.daemon.watch import SpoolWatch
from hivemind_cli.pipeline.spool import Delivery, Spool, SpoolFault

NOW = datetime(2026, 11, 20, tzinfo=UTC)
HEADER_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths(root=tmp_path / "root", home=tmp_path)
    paths.make()
    return paths


@pytest.fixture
def spool(paths: Paths) -> Spool:
    return Spool(paths)


def delivery(raw: bytes = b'{"a": 1}', *, boot: str = "aaaaaaaa", ns: int = 1, at: datetime = NOW) -> Delivery:
    id = new_id(at)
    name = f"{boot}-{ns:020d}-{id}"
    return Delivery(id=id, time_ns=int(at.timestamp()) * 10**9, host="h", event="E", raw=raw, name=name)


def age(path: Path, by: timedelta) -> None:
    then = (NOW - by).timestamp()
    os.utime(path, (then, then))


def test_the_order_is_the_boots_not_the_wall_clocks(spool: Spool) -> None:
    hour = timedelta(hours=1)
    first = delivery(ns=900, at=NOW)
    back = delivery(ns=901, at=NOW - 5 * hour)  # the clock went back
    later = delivery(boot="00000001", ns=5, at=NOW + hour)  # the machine restarted
    before = delivery(boot="ffffffff", ns=10**15, at=NOW - 9 * hour)
    for one in (later, back, first, before):
        spool.put(one)
    assert [path.name for path in spool.pending()] == [one.name for one in (before, first, back, later)]


def test_names_that_are_not_ours_come_last_and_folders_never(spool: Spool, paths: Paths) -> None:
    ours = spool.put(delivery())
    stray = paths.spool_new / "0"
    stray.write_text("what is this")
    (paths.spool_new / "folder").mkdir()
    (paths.spool_new / "link").symlink_to(ours)
    assert spool.pending() == [ours, stray]
    with pytest.raises(SpoolFault, match="header"):
        spool.read(stray)


def test_no_spool_means_nothing_waits(tmp_path: Path) -> None:
    spool = Spool(Paths(root=tmp_path / "none", home=tmp_path))
    assert spool.pending() == []
    assert spool.hook_errors() == []
    assert spool.sweep(NOW).deleted == 0
    assert spool.read(spool.put(delivery())).host == "h"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(raw=st.binary(min_size=1), host=HEADER_TEXT, event=HEADER_TEXT, cwd=HEADER_TEXT, workspace=HEADER_TEXT)
def test_what_is_put_is_read(spool: Spool, raw: bytes, host: str, event: str, cwd: str, workspace: str) -> None:
    put = Delivery(id=new_id(), time_ns=7, host=host, event=event, raw=raw, cwd=cwd, workspace=workspace)
    path = spool.put(put)
    assert spool.read(path) == replace(put, name=path.name)
    spool.done(path)
    spool.done(path)
    assert spool.pending() == []


def test_hostile_header_bytes_become_text(spool: Spool, paths: Paths) -> None:
    path = paths.spool_new / "x"
    head = f"v=1\nid={new_id()}\ntime_ns=99999999999999999999\nhost=h\xff\0\nfuture=1\nevent=a\\nb\\\\n\\q=\n"
    path.write_bytes(head.encode("latin-1") + b"cwd=/\xed\xa0\x80\n\nraw")
    found = spool.read(path)
    assert (found.host, found.event) == ("h\ufffd\ufffd", "a\nb\\nq=")
    assert found.cwd.encode("utf-8").startswith(b"/")
    assert found.occurred_at.year == 5138


ID = "01M7XBP8PE3XH42VD1P0RY9W40"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\0" * 4096, "header"),
        (b"v=1\n\nraw", "header"),
        (b"v=1\nid=%s\ntime_ns=1\nhost=h\nevent=e\n" % ID.encode(), "header"),
        (b"v=1\nid=%s\ntime_ns=1\nhost=h\nevent=e\n\n" % ID.encode(), "empty"),
        (b"v=2\n\nraw", "version"),
        (b"v=1\nid=short\ntime_ns=1\nhost=h\nevent=e\n\nraw", "header"),
        (b"v=1\nid=%s\ntime_ns=-1\nhost=h\nevent=e\n\nraw" % ID.encode(), "header"),
        (b"v=1\nid=%s\ntime_ns=1\nhost=h\nevent=e\nno equals\n\nraw" % ID.encode(), "header"),
    ],
)
def test_what_no_hook_writes_is_a_fault(spool: Spool, paths: Paths, content: bytes, reason: str) -> None:
    path = paths.spool_new / "x"
    path.write_bytes(content)
    with pytest.raises(SpoolFault) as caught:
        spool.read(path)
    assert caught.value.reason == reason


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200))
def test_any_file_is_read_or_refused(spool: Spool, paths: Paths, content: bytes) -> None:
    path = paths.spool_new / "x"
    path.write_bytes(content)
    with pytest.raises(SpoolFault):
        spool.read(path)


def test_what_is_set_aside_keeps_its_bytes_and_its_reason(spool: Spool, paths: Paths) -> None:
    for n in range(3):
        path = paths.spool_new / "x"
        path.write_bytes(b"%d" % n)
        target = spool.set_aside(path, f"reason {n}")
        assert target.read_bytes() == b"%d" % n
        assert target.with_name(target.name + ".why").read_text() == f"reason {n}\n"
    assert sorted(path.name for path in paths.quarantine.iterdir()) == [
        "x",
        "x.1",
        "x.1.why",
        "x.2",
        "x.2.why",
        "x.why",
    ]
    assert spool.pending() == []


def test_a_sweep_delivers_what_is_whole_and_drops_the_halves(spool: Spool, paths: Paths) -> None:
    first, left, last = (delivery(json.dumps({"x": "y" * 9000}).encode(), ns=n) for n in (1, 2, 3))
    content = spool.put(left).read_bytes()
    spool.done(spool.pending()[0])
    for one in (last, first):
        spool.put(one)
    for name, part in ((left.name, content), ("torn", content[:5000]), ("head", content[:40]), ("none", b"")):
        (paths.spool_tmp / name).write_bytes(part)
        age(paths.spool_tmp / name, timedelta(minutes=11))
    (paths.spool_tmp / "young").write_bytes(content)
    age(paths.spool_tmp / "young", timedelta(minutes=9))
    swept = spool.sweep(NOW)
    assert (swept.delivered, swept.deleted, swept.expired) == ((paths.spool_new / left.name,), 3, 0)
    assert [path.name for path in paths.spool_tmp.iterdir()] == ["young"]
    assert [spool.read(path) for path in spool.pending()] == [first, left, last]
    assert not list(paths.quarantine.iterdir())


def test_a_move_to_quarantine_cut_short_is_finished(spool: Spool, paths: Paths) -> None:
    path = paths.spool_new / "x"
    path.write_bytes(b"what is this")
    (paths.quarantine / "x.why").write_text("reason\n")
    (paths.quarantine / "x").hardlink_to(path)
    assert spool.set_aside(path, "reason") == paths.quarantine / "x"
    assert sorted(path.name for path in paths.quarantine.iterdir()) == ["x", "x.why"]
    assert spool.pending() == []


@pytest.mark.skipif(sys.platform != "linux", reason="inotify")
def test_setting_aside_does_not_hold_up_who_watches_the_spool(spool: Spool, paths: Paths) -> None:
    woken = threading.Event()
    watch = SpoolWatch(paths.spool_new, woken.set)
    watch.start()
    try:
        (paths.spool_new / "x").write_bytes(b"what is this")
        assert woken.wait(10)
        time.sleep(0.6)  # what watchdog held back is told by now
        woken.clear()
        spool.set_aside(paths.spool_new / "x", "reason")
        begin = time.monotonic()
        spool.put(delivery())
        assert woken.wait(10)
        print(f"\nwoken after {(time.monotonic() - begin) * 1000:.0f} ms")
    finally:
        watch.stop()


def test_quarantine_has_an_age_limit(paths: Paths) -> None:
    spool = Spool(paths, quarantine_days=2)
    for name, days in (("old", 3), ("new", 1)):
        (paths.spool_new / name).write_text("x")
        target = spool.set_aside(paths.spool_new / name, "no")
        for path in (target, target.with_name(name + ".why")):
            age(path, timedelta(days=days))
    assert spool.sweep(NOW).expired == 1
    assert sorted(path.name for path in paths.quarantine.iterdir()) == ["new", "new.why"]


def test_days_in_quarantine_count_from_the_day_it_came(paths: Paths) -> None:
    spool = Spool(paths, quarantine_days=2)
    path = paths.spool_new / "x"
    path.write_text("x")
    age(path, timedelta(days=400))
    target = spool.set_aside(path, "the daemon was down for long")
    assert spool.sweep(datetime.now(UTC)).expired == 0
    assert target.exists()
