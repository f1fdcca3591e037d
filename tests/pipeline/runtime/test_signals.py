"""A request to stop is remembered; a second Ctrl-C is obeyed at once."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from pipeline.runtime import signals


def test_sigterm_is_remembered_and_repeating_it_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with signals.deferred("train") as asked:
        assert asked.signal == 0
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGTERM)
        assert asked.signal == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before
    assert capsys.readouterr().err == "train: SIGTERM: stopping after this step\n"
    with pytest.raises(SystemExit) as ended:
        asked.exit()
    assert ended.value.code == 143


def test_a_second_ctrl_c_ends_it_unless_it_is_an_echo(monkeypatch: pytest.MonkeyPatch) -> None:
    with signals.deferred("train", quiet=True) as asked:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert asked.signal == signal.SIGINT
        monkeypatch.setattr(signals, "ECHO", 0.0)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_outside_the_main_thread_signals_stay_as_they_are() -> None:
    seen = []

    def work() -> None:
        with signals.deferred("train") as asked:
            seen.append((asked.signal, signal.getsignal(signal.SIGTERM)))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(0, before)]
