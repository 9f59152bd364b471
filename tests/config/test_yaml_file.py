"""Settings files: what they say, and what is refused with which words."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from gan_topdis.config import DiscoverConfig, TraverseConfig, as_mapping, read_config, to_yaml
from gan_topdis.config.benchmark import BenchmarkConfig
from gan_topdis.config.match_shapes import MatchShapesConfig
from gan_topdis.config.train_gan import TrainGANConfig

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


def written(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(folder: Path, text: str, kind: type = DiscoverConfig) -> str:
    path = written(folder, text)
    with pytest.raises(ValueError) as error:
        read_config(path, kind)
    return str(error.value).removeprefix(f"{path}: ").removeprefix(f"{path} ")


def test_values_come_as_the_types_of_the_fields(tmp_path):
    text = "count: 3\nclass: 2\nseeds: 0,4-6\ntrunc: 1\nlayers: 3\nsearch-steps: 5\ntrunc-cutoff: null\n"
    assert read_config(written(tmp_path, text), DiscoverConfig) == {
        "count": 3,
        "class_index": 2,
        "seeds": (0, 4, 5, 6),
        "trunc": 1.0,
        "layers": "3",
        "search_steps": 5,
        "trunc_cutoff": None,
    }


@pytest.mark.parametrize(("text", "seeds"), [("5", (5,)), ("[2, 0]", (2, 0)), ("1-3", (1, 2, 3))])
def test_seeds_as_a_number_a_list_or_text(tmp_path, text, seeds):
    assert read_config(written(tmp_path, f"seeds: {text}"), DiscoverConfig) == {"seeds": seeds}


def test_media_as_text_or_list(tmp_path):
    assert read_config(written(tmp_path, "media: png, gif"), TraverseConfig) == {"media": ("png", "gif")}
    assert read_config(written(tmp_path, "media: [gif]"), TraverseConfig) == {"media": ("gif",)}


def test_an_empty_file_changes_nothing(tmp_path):
    assert read_config(written(tmp_path, "# nothing\n"), DiscoverConfig) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pionts: 8", "unknown setting 'pionts'; did you mean 'points'?"),
        ("search_steps: 8", "unknown setting 'search_steps'; did you mean 'search-steps'?"),
        ("count: six", "count should be a whole number, got 'six'"),
        ("count: 1.5", "count should be a whole number, got 1.5"),
        ("count: true", "count should be a whole number, got True"),
        ("trunc: high", "trunc should be a number, got 'high'"),
        ("network: [a]", "network should be text, got ['a']"),
        ("seeds: [a]", "seeds should be seeds such as 0,1,4-6, got ['a']"),
        ("seeds: 6-4", "a range of seeds should ascend, got 6-4; did you mean 4-6?"),
        ("trust-pickle: true", "trust-pickle can be given on the command line only (--trust-pickle)"),
        ("stylegan-repo: /x", "stylegan-repo can be given on the command line only (--stylegan-repo)"),
        ("- a", "should hold one mapping of settings, got a list"),
    ],
)
def test_refusals_name_the_key_and_the_remedy(tmp_path, text, message):
    assert refusal(tmp_path, text) == message


def test_a_key_like_no_other_gets_the_list(tmp_path):
    message = refusal(tmp_path, "qqqq: 1")
    assert message.startswith("unknown setting 'qqqq'; known: network, count, method, seed, class, ")


@pytest.mark.parametrize("text", ["a: [", "!!python/object/apply:os.system ['true']", "a: \x00"])
def test_no_yaml_or_yaml_that_would_act_is_refused_in_one_line(tmp_path, text):
    message = refusal(tmp_path, text)
    assert message.startswith("should be YAML: ") and "\n" not in message


def test_a_file_too_large_for_settings_is_not_read(tmp_path):
    assert refusal(tmp_path, "#" * 1_000_001) == "should be a settings file of at most 1000000 bytes"


def test_writing_is_undone_by_reading(tmp_path):
    config = DiscoverConfig(count=2, class_index=1, seeds=(3, 4, 9), trunc=0.5, layers="0-3")
    assert DiscoverConfig(**read_config(written(tmp_path, to_yaml(config)), DiscoverConfig)) == config


def test_settings_of_the_command_line_are_written_as_comments(tmp_path):
    config = DiscoverConfig(trust_pickle=True, stylegan_repo="/repo")
    text = to_yaml(config)
    assert "# --trust-pickle True  (command line only)\n" in text
    assert "# --stylegan-repo /repo  (command line only)\n" in text
    assert DiscoverConfig(**read_config(written(tmp_path, text), DiscoverConfig)) == DiscoverConfig()


def test_the_record_has_every_setting():
    mapping = as_mapping(DiscoverConfig())
    assert len(mapping) == len(DiscoverConfig.__dataclass_fields__)
    assert mapping["seeds"] == "0-3" and mapping["class"] is None and mapping["trust-pickle"] is False


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_configs_of_the_repository_are_valid(path):
    """Of `discover`, unless they are named after another verb; studies read their own."""
    if path.stem.endswith("_study"):
        assert yaml.safe_load(path.read_text())["steps"] > 0
        return
    named = {"benchmark": BenchmarkConfig, "match_shapes": MatchShapesConfig, "train_gan": TrainGANConfig}
    kind = next((named[verb] for verb in named if path.stem.startswith(verb)), DiscoverConfig)
    mapping = as_mapping(kind(**read_config(path, kind)))
    written = yaml.safe_load(path.read_text())
    assert written and all(mapping[key] == value for key, value in written.items())


def test_there_are_configs():
    assert {path.name for path in CONFIGS} >= {"scenes.yaml", "faces.yaml"}
