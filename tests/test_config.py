import copy
import json
import pickle
import sys

import numpy as np
import pytest

from pylearn.config import Config


@pytest.fixture
def config():
    return Config(hidden_nodes=100, optimizer="adam", schedule={"warmup": 10, "steps": [{"at": 1}]})


def test_attributes_and_keys_are_the_same(config):
    config.epochs = 20
    config["dropout"] = 0.2
    assert (config["epochs"], config.dropout, config.schedule.warmup) == (20, 0.2, 10)
    assert config.schedule.steps[0].at == 1
    del config.epochs
    assert "epochs" not in config
    assert "hidden_nodes" in dir(config)
    assert config.setdefault("x", {"y": 1}).y == 1


def test_missing_attribute_suggests(config):
    with pytest.raises(AttributeError, match="did you mean 'hidden_nodes'"):
        _ = config.hiden_nodes
    with pytest.raises(AttributeError, match="no 'zzz'"):
        del config.zzz
    assert not hasattr(config, "zzz")


def test_method_names_are_keys_only(config):
    config["items"] = 3
    assert config["items"] == 3
    assert callable(config.items)
    with pytest.raises(AttributeError, match="write config\\['update'\\]"):
        config.update = 1
    with pytest.raises(TypeError, match="strings"):
        config[1] = 2


def test_merging_and_copying_keep_the_type(config):
    merged = config | {"extra": {"a": 1}}
    assert isinstance(merged, Config)
    assert merged.extra.a == 1
    assert "extra" not in config
    config |= {"b": 2}
    assert config.b == 2
    for other in (
        config.copy(),
        copy.deepcopy(config),
        pickle.loads(pickle.dumps(config)),
        eval(repr(config)),
    ):
        assert type(other) is Config
        assert other == config


def test_json_round_trip(tmp_path, config):
    config.rate = np.float32(0.5)
    config.sizes = np.arange(3)
    again = Config.from_json(config.to_json())
    assert again.rate == 0.5
    assert again.sizes == [0, 1, 2]
    config.save(tmp_path / "c.json")
    assert Config.load(tmp_path / "c.json") == again
    assert type(config.to_dict()["schedule"]["steps"][0]) is dict


def test_values_without_json_name_their_key(tmp_path, config):
    config.loss = lambda x: x
    with pytest.raises(TypeError, match="config\\['loss'\\] cannot be written as JSON"):
        config.save(tmp_path / "c.json")
    assert not (tmp_path / "c.json").exists()


@pytest.mark.parametrize("text", ["[1]", "3", "{", ""])
def test_bad_files_name_themselves(tmp_path, text):
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"c\.json"):
        Config.load(path)
    with pytest.raises(ValueError, match="ends in"):
        Config.load(tmp_path / "c.toml")


def test_yaml_round_trip(tmp_path, config):
    pytest.importorskip("yaml", reason="PyYAML is not installed")
    config.save(tmp_path / "c.yaml")
    assert Config.load(tmp_path / "c.yaml") == config
    (tmp_path / "bad.yml").write_text("a: [")
    with pytest.raises(ValueError, match=r"bad\.yml"):
        Config.load(tmp_path / "bad.yml")


def test_yaml_absent(tmp_path, config, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ImportError, match="pip install pyyaml"):
        config.save(tmp_path / "c.yaml")
    assert json.loads(config.to_json())
