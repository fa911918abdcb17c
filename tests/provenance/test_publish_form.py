"""publish.yaml: what only people can say, and no field of it empty."""

import pytest
import yaml

from datkit.errors import UsageError
from datkit.provenance.publish_form import Form, card_head, form_template, load_form

FILLED = dict.fromkeys(Form.model_fields, "said") | {"authors": ["A"], "licence": "MIT"}


def test_an_empty_form_is_refused_with_every_field_named(tmp_path):
    (tmp_path / "publish.yaml").write_text(form_template())
    with pytest.raises(UsageError) as error:
        load_form(tmp_path / "publish.yaml")
    assert all(name in str(error.value) for name in Form.model_fields)


def test_blanks_alone_are_no_answer(tmp_path):
    (tmp_path / "publish.yaml").write_text(yaml.safe_dump(FILLED | {"limitations": "  "}))
    with pytest.raises(UsageError, match="limitations"):
        load_form(tmp_path / "publish.yaml")


def test_the_head_of_a_card_is_read_by_hugging_face(tmp_path):
    from huggingface_hub import ModelCard

    (tmp_path / "publish.yaml").write_text(yaml.safe_dump(FILLED))
    card = ModelCard(card_head(load_form(tmp_path / "publish.yaml")) + "# said\n")
    assert card.data.license == "mit"
