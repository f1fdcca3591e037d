"""Checkpoints: equal bytes for equal weights, strict loading, and damage that is found before it is used."""

from __future__ import annotations

import errno
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.errors import UserError
from pipeline.io.checkpoints import load_state, load_weights, read_metadata, read_weights, save_state, save_weights


class Net(nn.Module):
    def __init__(self, identities: int = 5) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 4, 3)
        self.classifier = nn.Linear(4, identities, bias=False)


def test_weights_come_back_with_their_metadata(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, other = Net().to(memory_format=torch.channels_last), Net()
    path = tmp_path / "train" / "model.safetensors"
    save_weights(path, model.state_dict(), {"fingerprint": "f", "epochs": 3})
    load_weights(path, other)
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True))
    assert read_metadata(path) == {"fingerprint": "f", "epochs": 3}
    assert list(tmp_path.rglob("*.tmp")) == []


def test_a_network_on_the_meta_device_is_filled_on_the_cpu(tmp_path: Path) -> None:
    model, path = Net(), tmp_path / "model.safetensors"
    save_weights(path, model.state_dict(), {})
    with torch.device("meta"):
        other = Net()
    load_weights(path, other)
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True))


def test_equal_weights_give_equal_bytes(tmp_path: Path) -> None:
    model = Net()
    for name in ("a", "b"):
        save_weights(tmp_path / name, model.state_dict(), {"a": 1, "b": 2, "c": 3, "d": 4})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_another_number_of_identities_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_weights(path, Net(751).state_dict(), {})
    with pytest.raises(
        UserError, match=r"\(1 of 3 tensors\): classifier\.weight is \(751, 4\), the network's \(5, 4\)"
    ):
        load_weights(path, Net(5))


def test_another_architecture_is_named_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    model = Net()
    before = model.body.weight.clone()
    save_weights(path, {"body.weight": torch.zeros(4, 3, 3, 3), "head": torch.zeros(1)}, {})
    with pytest.raises(UserError, match=r"body\.bias is missing; classifier\.weight is missing; head is unknown"):
        load_weights(path, model)
    assert torch.equal(model.body.weight, before)


def test_weights_that_are_missing_or_truncated(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with pytest.raises(UserError, match=r"there are no weights: .*model\.safetensors is missing"):
        read_weights(path)
    save_weights(path, Net().state_dict(), {})
    path.write_bytes(path.read_bytes()[:-4])
    for read in (read_weights, read_metadata):
        with pytest.raises(UserError, match="is truncated or no safetensors file"):
            read(path)


def test_a_state_comes_back(tmp_path: Path) -> None:
    model = Net()
    optimizer = torch.optim.Adam(model.parameters())
    sum(p.square().sum() for p in model.parameters()).backward()
    optimizer.step()
    path = tmp_path / "state.pt"
    save_state(path, {"epoch": 3, "fingerprint": "f", "model": model.state_dict(), "optimizer": optimizer.state_dict()})
    state = load_state(path, "f")
    assert (state["epoch"], state["fingerprint"]) == (3, "f")
    assert torch.equal(state["model"]["body.weight"], model.body.weight)
    assert torch.equal(state["optimizer"]["state"][0]["exp_avg"], optimizer.state_dict()["state"][0]["exp_avg"])


def test_weights_are_as_readable_as_their_folder(tmp_path: Path) -> None:
    for mode, expected in ((0o755, 0o644), (0o770, 0o660), (0o700, 0o600)):
        folder = tmp_path / oct(mode)
        folder.mkdir()
        folder.chmod(mode)
        save_weights(folder / "a.safetensors", Net().state_dict(), {})
        assert (folder / "a.safetensors").stat().st_mode & 0o777 == expected


def test_a_state_of_another_run_is_refused(tmp_path: Path) -> None:
    save_state(tmp_path / "state.pt", {"fingerprint": "g"})
    with pytest.raises(UserError, match=r"state\.pt belongs to another run\. Delete"):
        load_state(tmp_path / "state.pt", "f")


def test_a_damaged_state_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    save_state(path, {"x": torch.arange(4096.0)})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"state\.pt is no complete training state: .*Delete .*state\.pt to train"):
        load_state(path, "f")
    flipped = bytearray(whole)
    flipped[whole.index(torch.arange(4096.0)[100:120].numpy().tobytes())] ^= 1
    path.write_bytes(bytes(flipped))
    with pytest.raises(UserError, match=r"does not match its checksum|Bad CRC"):
        load_state(path, "f")
    path.unlink()
    with pytest.raises(UserError, match="is no complete training state"):
        load_state(path, "f")


def test_a_state_cannot_run_code(tmp_path: Path) -> None:
    path, ran = tmp_path / "state.pt", tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return (Path.touch, (ran,))

    torch.save({"x": Evil()}, path)
    with pytest.raises(UserError, match="is no complete training state"):
        load_state(path, "f")
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(UserError, match="is no complete training state"):
        load_state(path, "f")
    assert not ran.exists()


def test_a_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.pt"
    save_state(path, {"epoch": 1, "fingerprint": "f"})

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(UserError, match=r"disk is full: .*state\.pt"):
        save_state(path, {"epoch": 2})
    monkeypatch.undo()
    assert load_state(path, "f")["epoch"] == 1 and [p.name for p in tmp_path.iterdir()] == ["state.pt"]


def test_a_state_whose_pickle_ends_too_early_is_refused(tmp_path: Path) -> None:
    """Found by fuzzing: torch then raises EOFError."""
    path = tmp_path / "state.pt"
    torch.save({"fingerprint": "f"}, path)
    with zipfile.ZipFile(path) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in records.items():
            archive.writestr(name, b"" if name.endswith("data.pkl") else content)
    with pytest.raises(UserError, match="is no complete training state"):
        load_state(path, "f")


def test_records_that_unfold_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("state/data.pkl", bytes(1 << 20))
    with pytest.raises(UserError, match="its records are larger than the file"):
        load_state(path, "f")


def test_a_state_that_is_something_else(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    torch.save([1, 2], path)
    with pytest.raises(UserError, match="it holds a list"):
        load_state(path, "f")
