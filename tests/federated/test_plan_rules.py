"""Each rule on Fed-BioMed's training plans: one broken plan or more that it finds, and it alone."""

from __future__ import annotations

import pytest

from datkit.cli import main
from datkit.errors import UsageError
from datkit.federated.fedbiomed import export_fed_biomed
from datkit.federated.plan_rules import check_plan

LOAD = 'np.load(folder / "boxes.npy", allow_pickle=False)'
# What is changed in the exported plan, into what, and the rule that tells it.
BROKEN = {
    "no Python": ("def read(self):", "def read(self:", "plan-syntax"),
    "a class of its own": ("from fedbiomed.common.training_plans import TorchTrainingPlan",
                           "class TorchTrainingPlan: ...", "plan-base"),
    "two plans": ("class DatPlan(", "class Other(TorchTrainingPlan):\n"
                  "    init_model = training_data = training_step = None\n\n\nclass DatPlan(",
                  "plan-base"),
    "a plan of scikit-learn": ("TorchTrainingPlan", "SKLearnTrainingPlan", "plan-base"),
    "a model with two arguments": ("(self, model_args)", "(self, model_args, n=2)",
                                   "plan-arguments"),
    "an optimizer with two": ("optimizer_args)", "optimizer_args, lr=1)", "plan-arguments"),
    "dependencies with one": ("dependencies(self)", "dependencies(self, more=())",
                              "plan-arguments"),
    "data that want one": ("training_data(self)", "training_data(self, n)", "plan-arguments"),
    "a step without target": ("training_step(self, data, target)", "training_step(self, data)",
                              "plan-arguments"),
    "a step of three": ("training_step(self, data, target)",
                        "training_step(self, data, target, weight)", "plan-arguments"),
    "no step": ("def training_step", "def train_step", "plan-method"),
    "no model": ("def init_model", "def make_model", "plan-method"),
    "a module for a text": ('"import csv",', '"import csv", csv,', "plan-dependencies"),
    "a text that acts": ('"import csv",', '"import csv", "import os; os.getcwd()",',
                         "plan-dependencies"),
    "one text for a list": ('return [\n            "import csv",',
                            'return "import csv"\n        [', "plan-dependencies plan-outside"),
    "a loader of PyTorch": ("DataManager(dataset=self.Exams(), shuffle=True)",
                            "torch.utils.data.DataLoader(self.Exams())", "plan-data"),
    "no data": ("return DataManager(", "DataManager(", "plan-data"),
    "an __init__": ("def read(self)", "def __init__(self): ...\n\n        def read(self)",
                    "dataset-reserved"),
    "a __getitem__": ("def __len__(", "def __getitem__(self, i): ...\n\n        def __len__(",
                      "dataset-reserved"),
    "a load": ("def __len__(", "load = None\n\n        def __len__(", "dataset-reserved"),
    "a path": ("def __len__(", "@property\n        def path(self): ...\n\n        def __len__(",
               "dataset-reserved"),
    "nothing to read": ("def read(", "def begin(", "dataset-method"),
    "no item": ("def get_item(", "def item(", "dataset-method"),
    "no length": ("def __len__(", "def length(", "dataset-method"),
    "pickled arrays": ("allow_pickle=False", "allow_pickle=True", "plan-unsafe"),
    "pickled arrays, perhaps": ("allow_pickle=False", "allow_pickle=self.old", "plan-unsafe"),
    "text that runs": ("len(self.labels)\n", 'eval("1 + 1")\n', "plan-unsafe"),
    "text that runs, by another name": ("len(self.labels)\n", 'list(map(exec, ["1"]))\n',
                                        "plan-unsafe"),
    "a function by its spelling": ("len(self.labels)\n", 'getattr(torch, "lo" + "ad")("x")\n',
                                   "plan-unsafe"),
    "every class there is": ("len(self.labels)\n", "().__class__.__base__.__subclasses__()\n",
                             "plan-unsafe"),
    "built in, imported": ('"import csv",', '"import csv", "from builtins import exec as run",',
                           "plan-unsafe"),
    "a file written elsewhere": ("len(self.labels)\n", 'np.save("/tmp/x", self.boxes)\n',
                                 "plan-unsafe"),
    "weights of torch": (LOAD, 'torch.load(folder / "boxes.pt")', "plan-unsafe"),
    "a pickle by an alias": (
        '"import csv",', '"import csv", "import pickle as p",', ("folder = Path(self.path)",
        'folder = Path(self.path)\n            p.loads(b"")'), "plan-unsafe"),
    "the network": ('"import csv",', '"import csv", "import requests",', (
        "folder = Path(self.path)",
        'folder = Path(self.path)\n            requests.post("https://a.example")'), "plan-unsafe"),
    "a program": ('"import csv",', '"import csv", "import os",', (
        "folder = Path(self.path)", 'folder = Path(self.path)\n            os.system("id")'),
        "plan-unsafe"),
    "a file of the machine": ('open(folder / "labels.csv"', 'open("/etc/passwd"', "plan-path"),
    "a folder above": ('folder / "labels.csv"', 'folder / "../labels.csv"', "plan-path"),
    "the folder above": ("Path(self.path)", "Path(self.path).parent", "plan-path"),
    "another's folder": ("folder = Path(self.path)", 'folder = Path("/data")', "plan-path"),
    "a list of the machine's files": (LOAD, f'{LOAD}[[*Path("/home").rglob("*")] and 0]',
                                      "plan-path"),
    "an import that stays behind": ('"import csv",', "", "plan-outside"),
    "a constant that stays behind": (
        "class DatPlan(", "RATE = 1e-3\n\n\nclass DatPlan(", ('"lr": 1e-3', '"lr": RATE'),
        "plan-outside"),
    "a network that stays behind": ("self.Network(", "OtherNetwork(", "plan-outside"),
}  # fmt: skip


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plan") / "out"
    export_fed_biomed(folder)
    return (folder / "plan.py").read_text(encoding="utf-8")


@pytest.fixture
def problems(tmp_path):
    def check(text):
        path = tmp_path / "plan.py"
        path.write_text(text, encoding="utf-8")
        return check_plan(path)

    return check


def test_the_exported_plan_passes(exported, problems):
    assert problems(exported) == []


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plan_is_told_by_the_rule_that_it_breaks(name, exported, problems):
    *changes, code = BROKEN[name]
    text, pairs = exported, [tuple(changes[:2]), *changes[2:]]
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    found = problems(text)
    assert {problem.code for problem in found} == {*code.split()}, [*map(str, found)]
    assert all(problem.is_error and problem.where == "plan.py" for problem in found)


def test_every_problem_is_listed_at_once_with_its_line(exported, problems):
    text = exported
    for name in ("a model with two arguments", "a __getitem__", "pickled arrays", "no data"):
        text = text.replace(*BROKEN[name][:2])
    found = {problem.code: problem.line for problem in problems(text)}
    assert found.keys() == {"plan-arguments", "dataset-reserved", "plan-unsafe", "plan-data"}
    lines = text.splitlines()
    assert "init_model" in lines[found["plan-arguments"] - 1]
    assert "allow_pickle=True" in lines[found["plan-unsafe"] - 1]


def test_paths_made_from_the_folder_are_inside_it(exported, problems):
    """In a loop, through a list, as an attribute: all of it begins at self.path."""
    several = """self.folder = Path(self.path)
            self.files = sorted(self.folder.glob("*.npy"))
            parts = [np.load(one, allow_pickle=False) for one in self.files]
            for number, file in enumerate(self.files):
                with file.open("rb") as opened:
                    np.load(opened)
            self.boxes = np.concatenate(parts)
            folder = Path(self.path)"""
    assert problems(exported.replace("folder = Path(self.path)", several)) == []


def test_a_default_of_the_data_s_own_and_a_list_with_a_name_are_fine(exported, problems):
    """As in Fed-BioMed's own tutorials."""
    text = exported.replace("def training_data(self):", "def training_data(self, batch_size=48):")
    text = text.replace("return [\n", "deps = [\n")
    text = text.replace('Dataset",\n        ]', 'Dataset",\n        ]\n        return deps')
    text = text.replace("return DataManager(", "data = DataManager(")
    text = text.replace("shuffle=True)", "shuffle=True)\n        return data")
    assert "return deps" in text and problems(text) == []


def test_a_command_lists_them_and_leaves_with_1(exported, tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text(exported.replace("allow_pickle=False", "allow_pickle=True"), encoding="utf-8")
    assert main(["federated", "check", str(path)]) == 1
    told = capsys.readouterr().out
    assert "1 error" in told and "plan-unsafe" in told and "mine.py, line" in told


def test_what_is_no_file_is_wrong_use(tmp_path):
    with pytest.raises(UsageError, match="Expected a training plan, found No such file"):
        check_plan(tmp_path / "none.py")
