"""The commands of `ecm`, each with a sentence, two examples and the path of its function."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Side: TypeAlias = Literal["training", "service"]
"""Package that has some of the commands, for `python -m training` and `python -m service`."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command. Its function is imported when the command is used, not before."""

    name: str
    """Word that follows `ecm`."""
    summary: str
    """Sentence that describes the command."""
    function: str
    """Import path, `module:function`; the function's parameters are the command's options."""
    examples: tuple[str, str]
    """Arguments of two typical calls, without the command's name."""
    defaults: str | None = None
    """Import path of a function that returns the defaults in the help text, given the arguments."""

    @property
    def side(self) -> Side | None:
        """The package that has the command; None for both."""
        package = self.function.partition(".")[0]
        return package if package in ("training", "service") else None  # type: ignore[return-value]

    @property
    def extra(self) -> str | None:
        """The optional dependencies in pyproject.toml that the command needs."""
        return {"training": "train", "service": "service"}.get(self.side or "")


_SETTINGS = "service.commands.flags:shown_defaults"

COMMANDS: dict[str, tuple[Command, ...]] = {
    "Train and measure": (
        Command(
            "fit",
            "Train a network from video-level tags. A stopped run is resumed.",
            "training.commands.fit:fit",
            (
                "--videos my_videos/ --tags tags.csv --preset own-videos --out runs/mine",
                "--annotations tags.json --features my_features/ --out runs/mine --epochs 200",
            ),
            "training.commands.fit:shown_defaults",
        ),
        Command(
            "cross-validate",
            "Measure a recipe on places that its networks have not seen.",
            "training.commands.cross_validate:cross_validate",
            (
                "--videos my_videos/ --tags tags.csv --preset own-videos",
                "--data my_data/ --groups cameras.csv --folds 4 --json",
            ),
            "training.commands.cross_validate:shown_defaults",
        ),
        Command(
            "oracle",
            "Measure the ceiling of a data set: a network that was taught the true times.",
            "training.commands.oracle:oracle",
            (
                "--data my_data/ --preset own-data",
                "--annotations labels.json --features my_features/ --native-length",
            ),
            "training.commands.oracle:shown_defaults",
        ),
        Command(
            "evaluate",
            "Measure mAP, frame accuracy and tagging on videos with known segments.",
            "training.commands.evaluate:evaluate",
            (
                "runs/mine --annotations labels.json --features my_features/",
                "runs/mine --data THUMOS14 --subset test --report report.html",
            ),
        ),
        Command(
            "suggest",
            "List the videos whose times to correct next, the most uncertain first.",
            "training.commands.suggest:suggest",
            (
                "runs/mine --annotations tags.json --features my_features/",
                "runs/mine --data my_data/ --corrections corrections/ --count 20 --format csv",
            ),
        ),
        Command(
            "export",
            "Write a trained network to a model repository as one ONNX file.",
            "training.commands.export:export",
            ("runs/mine --name mine", "runs/mine --name mine --repository /srv/models --half"),
        ),
        Command(
            "presets",
            "List the presets, or print every field of one.",
            "training.commands.presets:presets",
            ("", "own-videos"),
        ),
        Command(
            "reproduce",
            "Reproduce a table or figure of the paper. Networks that are missing are trained.",
            "training.commands.reproduce:reproduce",
            (
                "table4 --data THUMOS14",
                "figure5 --data THUMOS14 --seeds 3 --video video_test_0000004",
            ),
            "training.commands.reproduce:shown_defaults",
        ),
        Command(
            "import-released",
            "Import a checkpoint of the released ECM code as a run.",
            "training.commands.import_released:import_released",
            (
                "CKPT.pth --preset thumos14-released --labels LABELS.txt --out runs/thumos14",
                "CKPT.pth --preset activitynet12-released --labels LABELS.txt --out runs/a12",
            ),
        ),
    ),
    "Find segments": (
        Command(
            "localize",
            "Find the action segments in features, videos and folders of both.",
            "ecm_localizer.command.localize:localize",
            (
                "match.mp4 --model models/mine --plot match.png --clips clips/",
                "my_features/ match.mp4 --url http://127.0.0.1:8000 --out segments.json",
            ),
        ),
        Command(
            "plot",
            "Draw the class activation sequence of a video above its segments.",
            "training.commands.plot:plot",
            (
                "runs/mine --data my_data/ --video match_7 --out match_7.png",
                "runs/mine --data my_data/ --video match_7 --out match_7.pdf --min-score 0.3",
            ),
        ),
        Command(
            "score",
            "Compute the ActivityNet metric of a result file.",
            "training.commands.score:score",
            (
                "labels.json segments.json",
                "labels.json segments.json --subset test --tiou 0.3,0.5,0.7",
            ),
        ),
    ),
    "Prepare data": (
        Command(
            "check",
            "Describe a data set and list what is wrong with it.",
            "training.commands.check:check",
            ("--data my_data/", "--annotations tags.json --features my_features/"),
            "training.commands.fit:shown_defaults",
        ),
        Command(
            "convert",
            "Write a data set of any layout in the native layout. Stopped work is resumed.",
            "training.commands.datasets:convert",
            (
                "--data THUMOS14 --out my_data/",
                "--videos my_videos/ --tags tags.csv --out my_data/",
            ),
        ),
        Command(
            "extract",
            "Compute the features of a folder of videos. Stopped work is resumed.",
            "training.commands.extract:extract",
            (
                "my_videos/ --out my_features/",
                "my_videos/ --out my_features/ --extractor extractors/i3d.onnx --workers 2",
            ),
        ),
        Command(
            "export-extractor",
            "Write a backbone of torchvision, timm or transformers, or I3D, to one ONNX file.",
            "training.commands.export_extractor:export_extractor",
            (
                "torchvision:swin3d_t --out extractors/swin3d_t.onnx",
                "i3d --rgb rgb_imagenet.pt --flow flow_imagenet.pt --out extractors/i3d.onnx",
            ),
        ),
        Command(
            "simulate",
            "Write a simulated data set in the native layout.",
            "training.commands.datasets:simulate",
            ("--out my_data/", "--out my_data/ --classes 3 --difficulty 0.3 --seed 1"),
            "training.commands.datasets:shown_defaults",
        ),
    ),
    "Serve": (
        Command(
            "serve",
            "Serve the models of a repository over HTTP.",
            "service.commands.serve:serve",
            ("--repository models --port 8000", "--config ecm.toml --log-format json"),
            _SETTINGS,
        ),
        Command(
            "work",
            "Process the jobs of services that run elsewhere.",
            "service.commands.work:work",
            (
                "--database-url postgresql://jobs@db/jobs --data /srv/jobs",
                "--config ecm.toml --jobs 4",
            ),
            _SETTINGS,
        ),
        Command(
            "config",
            "Print the settings in force and where each of them comes from.",
            "service.commands.config:config",
            ("--config ecm.toml", "--json"),
            _SETTINGS,
        ),
        Command(
            "openapi",
            "Print the OpenAPI description of the service.",
            "service.commands.openapi:openapi",
            ("> openapi.json", "| jq .paths"),
        ),
        Command(
            "new-key",
            "Create an API key and print the line that makes the service accept it.",
            "service.commands.new_key:new_key",
            ("camera-3", "operator --scopes infer admin"),
        ),
        Command(
            "export-triton",
            "Write the configuration files with which Triton serves a model repository.",
            "service.commands.export_triton:export_triton",
            ("models", "models --force"),
        ),
    ),
}
"""The commands under the headings of `ecm --help`."""


def commands_of(side: Side | None) -> dict[str, list[Command]]:
    """Returns the commands of one side under their headings; without a side, all commands."""
    chosen = {
        heading: [one for one in commands if side is None or one.side in (side, None)]
        for heading, commands in COMMANDS.items()
    }
    return {heading: commands for heading, commands in chosen.items() if commands}
