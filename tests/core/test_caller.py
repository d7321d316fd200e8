"""Who waits for what a thread does."""

import threading

import pytest

from hivemind_cli.core.caller import caller_left, waiting


def test_it_is_known_to_the_thread_that_works_and_only_as_long() -> None:
    elsewhere: list[bool] = []
    assert not caller_left()
    with waiting(lambda: True):
        assert caller_left()
        thread = threading.Thread(target=lambda: elsewhere.append(caller_left()))
        thread.start()
        thread.join()
        with waiting(lambda: False):
            assert not caller_left()
        assert caller_left()
    with pytest.raises(KeyError), waiting(lambda: True):
        raise KeyError
    assert not caller_left() and elsewhere == [False]
