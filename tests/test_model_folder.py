"""What a folder of somebody else's model may not do; a canary outside stays as it was."""

import json
import os
import re
import shutil
import struct
import sys
from pathlib import Path

import pytest
import transformers

from tests import _house, _tiny
from tunefair.cli import app
from tunefair.planning import model_folder
from tunefair.schema import BadInputError
from tunefair.suite import ModelChoice
from tunefair.training import model

CODE = "from pathlib import Path; Path({canary!r}).write_text('reached')"


class Bomb:
    """Touches the canary when it is unpickled."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return exec, (CODE.format(canary=str(self.canary)),)


def pickled(folder, canary):
    import torch

    (folder / "model.safetensors").unlink()
    torch.save({"x": Bomb(canary)}, folder / "pytorch_model.bin")


def remote_code(folder, canary):
    (folder / "evil.py").write_text(CODE.format(canary=str(canary)))
    edit(folder / "config.json", auto_map={"AutoConfig": "evil.C", "AutoModel": "evil.M"})


def tokenizer_code(folder, canary):
    (folder / "evil.py").write_text(CODE.format(canary=str(canary)))
    edit(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.T", None]})


def link_out(folder, canary):
    (folder / "vocab.txt").symlink_to(canary)


def weights_elsewhere(folder, canary):
    inside = folder / "model.safetensors"
    outside = canary.with_name("weights.safetensors")
    inside.rename(outside)
    inside.symlink_to(outside)


def index_elsewhere(folder, canary):
    index = {"weight_map": {"x": f"../{canary.name}"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def index_of_pickles(folder, canary):
    index = {"weight_map": {"x": "pytorch_model.bin"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def safetensors(path, header, size):
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    os.truncate(path, size)


def sparse(folder, canary):
    amount = 10 * 2**30
    header = {"x": {"dtype": "F32", "shape": [amount // 4], "data_offsets": [0, amount]}}
    size = amount + 8 + len(json.dumps(header))
    safetensors(folder / "model.safetensors", header, size)


def lying_header(folder, canary):
    header = {"x": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4 * 10**9]}}
    safetensors(folder / "model.safetensors", header, 1000)


def giant_header(folder, canary):
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", 2**60) + b"{}")


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def config(**changes):
    def corrupt(folder, canary):
        edit(folder / "config.json", **changes)

    return corrupt


def content(name, text):
    def corrupt(folder, canary):
        (folder / name).write_text(text)

    return corrupt


def pipe(folder, canary):
    (folder / "tokenizer.json").unlink()
    os.mkfifo(folder / "tokenizer.json")


def elsewhere(folder):
    """A copy of the weights in a folder behind a link."""
    outside = folder.with_name("outside")
    outside.mkdir()
    shutil.copy(folder / "model.safetensors", outside)
    shutil.copy(folder / "tokenizer.json", outside / "tokenizer.4.0.json")
    (folder / "sub").symlink_to(outside)
    return outside


def weights_below(folder, canary):
    (folder / "sub").mkdir()
    shutil.copy(folder / "model.safetensors", folder / "sub")
    edit(folder / "config.json", transformers_weights="sub/model.safetensors")


def weights_behind_a_link(folder, canary):
    elsewhere(folder)
    edit(folder / "config.json", transformers_weights="sub/model.safetensors")


def tokenizer_below(folder, canary):
    (folder / "sub").mkdir()
    shutil.copy(folder / "tokenizer.json", folder / "sub" / "tokenizer.4.0.json")
    edit(folder / "tokenizer_config.json", fast_tokenizer_files=["sub/tokenizer.4.0.json"])


def other_family(**changes):
    """A configuration of another architecture, which calls its sizes by other names."""
    sizes = {"model_type": "gpt2", "vocab_size": 49, "n_positions": 64, "n_embd": 32, "n_head": 2}

    def corrupt(folder, canary):
        (folder / "config.json").write_text(json.dumps(sizes | {"n_layer": 2} | changes))

    return corrupt


def tokenizer(**changes):
    """A tokenizer with other parts."""

    def corrupt(folder, canary):
        edit(folder / "tokenizer.json", **changes)

    return corrupt


def other_vocabulary(folder, canary):
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text())
    content["model"]["vocab"]["w1"] = 10**6
    path.write_text(json.dumps(content))


def replacing(times, factor):
    """A normalizer that makes every text longer by `factor`, so many times."""
    step = {"type": "Replace", "pattern": {"Regex": "w"}, "content": "w" * factor}
    return {"type": "Sequence", "normalizers": [step] * times}


HOSTILE = {
    "pickle": (pickled, "holds no *.safetensors"),
    "remote code": (remote_code, "auto_map"),
    "tokenizer code": (tokenizer_code, "auto_map"),
    "link out": (link_out, "a link out of the folder"),
    "weights elsewhere": (weights_elsewhere, "a link out of the folder"),
    "index elsewhere": (index_elsewhere, "no safetensors file beside it"),
    "index of pickles": (index_of_pickles, "no safetensors file beside it"),
    "index of nothing": (content("m.index.json", '{"weight_map": [1]}'), "beside it"),
    "adapter": (content("adapter_config.json", "{}"), "an adapter"),
    "sparse": (sparse, "are on disk"),
    "lying header": (lying_header, "not safetensors"),
    "giant header": (giant_header, "not safetensors"),
    "vocabulary": (config(vocab_size=10**10), "the weights hold"),
    "hidden": (config(hidden_size=2 * 10**6), "the weights hold"),
    "hidden overflows": (config(hidden_size=2**62), "model.source"),
    "layers": (config(num_hidden_layers=10**9), "num_hidden_layers = 1000000000"),
    "layers as float": (config(num_hidden_layers=1e9), "num_hidden_layers = 1000000000"),
    "more layers": (config(num_hidden_layers=100, hidden_size=4096), "the weights hold"),
    "labels": (config(num_labels=10**9), "num_labels = 1000000000"),
    "positions": (config(max_position_embeddings=10**9), "the weights hold"),
    "types": (config(type_vocab_size=10**10), "the weights hold"),
    "negative": (config(vocab_size=-5), "model.source"),
    "text for number": (config(hidden_size="x"), "model.source"),
    "unknown model": (config(model_type="nonsense"), "model.source"),
    "no type": (content("config.json", "{}"), "model.source"),
    "a list": (content("config.json", "[]"), "not an object"),
    "nested": (content("config.json", "[" * 10**5), "config.json: "),
    "long number": (content("config.json", '{"a": ' + "9" * 5000 + "}"), "config.json: "),
    "not JSON": (content("config.json", "PK"), "config.json: "),
    "broken tokenizer": (content("tokenizer.json", "{"), "model.source"),
    "strange tokenizer": (content("tokenizer.json", '{"model": {"type": "X"}}'), "model.source"),
    "pipe": (pipe, "neither a file nor a folder"),
    "weights below": (weights_below, "transformers_weights: 'sub/model.safetensors' is no"),
    "weights behind a link": (weights_behind_a_link, "a link out of the folder"),
    "weights of another kind": (config(transformers_weights="x.bin"), "transformers_weights"),
    "tokenizer below": (tokenizer_below, "fast_tokenizer_files"),
    "attention from the hub": (
        config(_attn_implementation="kernels-community/flash-attn"),
        "_attn_implementation = 'kernels-community/flash-attn'",
    ),
    "attention nested": (config(text_config={"attn_implementation": {"": "x/y"}}), "attn_impl"),
    "experts": (config(experts_implementation="x/y"), "experts_implementation"),
    "nested code": (config(text_config={"auto_map": {}}), "auto_map"),
    "n_layer": (other_family(n_layer=10**9), "n_layer = 1000000000"),
    "n_embd": (other_family(n_embd=10**9), "model.source"),
    "n_positions": (other_family(n_positions=10**7), "the weights hold"),
    "n_inner": (other_family(n_inner=10**9), "the weights hold"),
    "layer types": (config(layer_types=["x"] * 10**5), "model.source"),
    "parsed size": (content("tokenizer_config.json", " " * (16 * 2**20 + 1)), "at most"),
    "expands": (tokenizer(normalizer=replacing(12, 1000)), "model.source"),
    "other vocabulary": (other_vocabulary, "makes token 1000000; the model knows 49 tokens"),
}


@pytest.fixture
def house(tmp_path):
    """A suite with a copy of the tiny model, and a canary outside of it."""
    suite = _house.build(tmp_path, steps=1)
    folder = tmp_path / "model"
    shutil.copytree(_tiny.model_folder(), folder)
    suite.write_text(suite.read_text().replace(str(_tiny.model_folder()), str(folder)))
    canary = tmp_path / "canary"
    canary.write_text("untouched")
    return suite, folder, canary


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_folder_is_refused_in_one_line(name, house, capsys, monkeypatch):
    corrupt, said = HOSTILE[name]
    suite, folder, canary = house
    corrupt(folder, canary)
    runs = suite.parent / "runs"
    monkeypatch.setattr(sys, "argv", ["tunefair", "run", str(suite), "--runs", str(runs)])
    with pytest.raises(SystemExit) as ended:
        app.main()
    heard = capsys.readouterr().err.strip()
    assert ended.value.code == 2
    assert len(heard.splitlines()) == 1
    assert said in heard
    assert canary.read_text() == "untouched"
    assert not list(runs.glob("*/cells/*"))


@pytest.mark.parametrize("architecture", _tiny.ARCHITECTURES)
def test_every_honest_architecture_is_read(architecture):
    choice = _tiny.choice(architecture)
    assert model_folder.fingerprint(choice)
    assert model.tokenizer(choice)


def test_a_link_inside_the_folder_is_followed(house):
    _, folder, _ = house
    (folder / "model.safetensors").rename(folder / "weights")
    (folder / "model.safetensors").symlink_to("weights")
    assert model_folder.fingerprint(ModelChoice(source=str(folder)))


def test_a_weight_file_that_is_cut_is_refused(house):
    _, folder, _ = house
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BadInputError, match="not safetensors"):
        model_folder.fingerprint(ModelChoice(source=str(folder)))


OPENED = re.compile(r"VOCAB_FILES_NAMES\s*=\s*\{(.*?)\}", re.DOTALL)


def test_every_file_that_a_tokenizer_may_open_is_in_the_fingerprint(tmp_path):
    root = Path(transformers.__file__).parent
    tables = [m for f in root.glob("models/*/*.py") for m in OPENED.findall(f.read_text())]
    named = {name for table in tables for name in re.findall(r':\s*"([^"]+\.\w+)"', table)}
    assert len(named) > 20, "transformers states these names in another way now"
    named |= {"chat_template.jinja", "qwen.tiktoken", "vocab.bpe"}
    folder = tmp_path / "model"
    shutil.copytree(_tiny.model_folder(), folder)
    before = model_folder.fingerprint(ModelChoice(source=str(folder)))
    for name in sorted(name for name in named if not (folder / name).exists()):
        (folder / name).write_text("{}")
        after = model_folder.fingerprint(ModelChoice(source=str(folder)))
        assert after != before, name
        (folder / name).unlink()
    (folder / "README.md").write_text("words about it")
    assert model_folder.fingerprint(ModelChoice(source=str(folder))) == before
