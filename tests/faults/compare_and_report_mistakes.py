"""Wrong input of ``compare`` and ``report``; what needs a forged record is in their own tests."""

from mistake import Mistake, cut, delete, write

RECORD = "output/resnet50_metrics.json"
OWN = ["report.md", "--output_dir", "output"]
ALL = ["--models", "custom_cnn", "resnet50"]

COMPARE = {
    "a model twice": Mistake(
        ["--models", "custom_cnn", "custom_cnn"], "custom_cnn", "names a model twice"
    ),
    "a model by both names": Mistake(
        ["--models", "cnn", "custom_cnn"], "cnn custom_cnn", "names a model twice"
    ),
    "value for a flag": Mistake(["--quiet=yes"], "--quiet", "see --help"),
    "a path for a name": Mistake(
        ["--models", "custom_cnn", "../resnet50"], "'../resnet50'", "takes a name such as"
    ),
    "one model": Mistake(["--models", "resnet50"], "only 'resnet50'", "train.py --model cnn"),
    "models without a name": Mistake(["--models"], "--models", "see --help"),
    "seconds in words": Mistake(["--seconds", "fast"], "--seconds", "see --help"),
    "negative seconds": Mistake(["--seconds", "-1"], "--seconds", "see --help"),
    "seconds that are no number": Mistake(["--seconds", "nan"], "--seconds", "see --help"),
    "abbreviated option": Mistake(["--output"], "--output", "see --help"),
    "stray word": Mistake(["stray"], "stray", "see --help"),
    "missing folder": Mistake(["--output_dir", "none"], "none", "train.py --model cnn"),
    "folder without records": Mistake(["--output_dir", "empty"], "empty", "train.py --model cnn"),
    "folder that is a file": Mistake(
        ["--output_dir", "report.md"], "report.md", "train.py --model cnn"
    ),
    "unknown model": Mistake(["--models", "custom_cnn", "x"], "x_metrics.json", "make it with"),
    "images elsewhere": Mistake(["--data_dir", "empty"], "empty", "--data_dir"),
    "truncated record": Mistake(ALL, RECORD, "make it with", cut(RECORD, 300)),
    "record that is a list": Mistake(ALL, RECORD, "make it with", write(RECORD, "[1]")),
    "empty record": Mistake(ALL, RECORD, "make it with", write(RECORD, "")),
    "record that is binary": Mistake(ALL, RECORD, "make it with", write(RECORD, b"\xff\xfe\0")),
    "record nested for ever": Mistake(ALL, RECORD, "make it with", write(RECORD, "[" * 100_000)),
    "missing model file": Mistake(
        ALL, "resnet50_model.pt", "--model resnet50", delete("output/resnet50_model.pt")
    ),
    "truncated predictions": Mistake(
        ALL,
        "resnet50_predictions.npz",
        "--model resnet50",
        cut("output/resnet50_predictions.npz", 99),
    ),
}

REPORT = {
    "unknown option": Mistake(["--chekc"], "--chekc", "see --help"),
    "missing document": Mistake(["none.md"], "none.md", "No such file"),
    "document that is a folder": Mistake(["empty"], "empty", "Is a directory"),
    "document that is binary": Mistake(
        ["image.md"], "image.md", "UTF-8", write("image.md", b"\x89PNG\xff")
    ),
    "unknown part": Mistake(
        ["odd.md"],
        "'magic'",
        "odd.md",
        write("odd.md", "<!-- generated:magic -->\n<!-- end -->\n"),
    ),
    "part without an end": Mistake(
        ["odd.md"], "odd.md", "<!-- end -->", write("odd.md", "<!-- generated:magic -->\n")
    ),
    "damaged record": Mistake(OWN, RECORD, "make it with", cut(RECORD, 300)),
    "damaged comparison": Mistake(
        OWN,
        "model_comparison.json",
        "compare.py",
        write("output/model_comparison.json", "{"),
    ),
    "output folder without a value": Mistake(["--output_dir"], "--output_dir", "see --help"),
}
