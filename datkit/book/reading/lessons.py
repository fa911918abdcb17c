"""What an exam of the reading trainer teaches: one sentence, and where the book trains it."""

from __future__ import annotations

from dataclasses import dataclass

from datkit.book.reading.chosen import Chosen
from datkit.simulate.patient.loss import Defect
from datkit.simulate.readers import LOST_CAUDATE

__all__ = ["FINDINGS", "Lesson", "teach"]

BETWEEN = 17  # mm from the middle to between caudate and putamen, where defects are drawn
SHARP = 0.6  # cut-off, 1/cm, from which filtered back-projection speckles the background
FADING = 0.5  # of the expected binding, above which a comma still shows its tail
PALE = 0.7  # of a caudate's expected binding, below which it no longer stands out as a dot
OLD = 70  # years from which a sentence mentions the age


@dataclass(frozen=True)
class Lesson:
    """One sentence on an exam, and the name of the finding that it shows."""

    finding: str
    text: str


#: The findings: name → (title, what to train, page of the book and its title).
FINDINGS = {
    "normal": (
        "normal",
        "the normal comma, at any age",
        "chapters/dat_imaging.html#a-normal-scan",
        "A normal scan",
    ),
    "mild": (
        "mildly low, shape kept",
        "mildly low binding with the shape kept",
        "chapters/dat_imaging.html#pitfalls",
        "Pitfalls",
    ),
    "one-sided": (
        "one putamen lost",
        "early loss on one side",
        "chapters/dat_imaging.html#an-abnormal-scan",
        "An abnormal scan",
    ),
    "egg": (
        "lost from the back",
        "the gradient from back to front",
        "notebooks/04_see_the_striatal_pattern.html",
        "See the striatal pattern",
    ),
    "burst": (
        "caudate fading or lost",
        "loss that takes the caudates too",
        "notebooks/04_see_the_striatal_pattern.html",
        "See the striatal pattern",
    ),
    "focal": (
        "focal defect",
        "focal defects of an old infarct",
        "chapters/dat_imaging.html#pitfalls",
        "Pitfalls",
    ),
    "blocked": (
        "blocked by a medicine",
        "medicines that block the transporter",
        "chapters/dat_imaging.html#pitfalls",
        "Pitfalls",
    ),
    "borderline": (
        "borderline",
        "exams at the limit, with a number beside the eye",
        "notebooks/05b_compare_with_normals.html",
        "Compare with normals",
    ),
}
UNSEEN = {
    "lewy_body": "dementia with Lewy bodies",
    "corticobasal": "corticobasal degeneration",
    "parkinson": "Parkinson's disease",
}


def teach(one: Chosen) -> Lesson:
    """Return what an exam teaches."""
    patient = one.drawn.patient
    if patient.loss.defect is not None:
        return _focal(patient.loss.defect)
    if patient.pattern == "drug":
        return Lesson(
            "blocked",
            "Caudate and putamen are low alike on both sides although no nerve cell is lost: a "
            "medicine blocks the transporter, so ask what the patient takes before you report.",
        )
    if one.kind == "hard":
        return _hard(one)
    return _abnormal(one) if one.label else _normal(one)


def _focal(defect: Defect) -> Lesson:
    x = defect.middle[0]
    side = "right" if x > 0 else "left"
    part = "putamen" if abs(x) > BETWEEN else "caudate"
    return Lesson(
        "focal",
        f"A sharp gap in the {side} {part} with full binding around it is an old infarct, not "
        "degeneration, and counts as normal here: describe it, and ask for CT or MRI.",
    )


def _normal(one: Chosen) -> Lesson:
    patient = one.drawn.patient
    if patient.pattern in UNSEEN:
        return Lesson(
            "normal",
            f"Binding is full, yet this patient has {UNSEEN[patient.pattern]}: a normal scan does "
            "not exclude a disease that spares the transporter, or does so at first.",
        )
    if one.fractions["fraction"] < 0.9:
        return Lesson(
            "normal",
            "Two whole commas, a little paler than most: a fixed scale shows this, and the shape "
            "and the even sides say that it is within the normal range.",
        )
    recipe = one.drawn.acquisition.protocol.recipe
    if recipe.attenuation == "none":
        return Lesson(
            "normal",
            "Neither attenuation nor scatter was corrected, which makes everything paler; yet both "
            "commas are there from head to tail: shape before brightness.",
        )
    if recipe.method == "fbp" and recipe.cutoff > SHARP:
        return Lesson(
            "normal",
            "Noise speckles the whole image, yet both commas are there from head to tail: look "
            "for the shape in several slices, not for single bright spots.",
        )
    age = f": at {patient.age:.0f} too, a normal scan" if patient.age > OLD else ""
    return Lesson(
        "normal",
        f"Two whole commas, alike on both sides, that stand out from an even background{age}.",
    )


def _abnormal(one: Chosen) -> Lesson:
    pattern = one.drawn.reading.pattern
    other = {"left": "right", "right": "left"}.get(one.side, "other")
    if one.grade == 1:
        return Lesson(
            "one-sided",
            f"The {one.side} comma has lost its tail while the {other} one is nearly whole: early "
            "loss on one side, grade 1.",
        )
    if one.grade == 3 and pattern == "burst":
        return Lesson(
            "burst",
            "Caudate and putamen are lost alike on both sides (a burst striatum), which points to "
            "an atypical syndrome in early disease, though no single scan can tell.",
        )
    if one.grade == 3:
        return Lesson(
            "burst",
            "The putamina are gone and the caudates fade with them: grade 3. The background looks "
            "bright only because so little else is left.",
        )
    if one.fractions["caudate"] < PALE:
        return Lesson(
            "burst",
            "Both putamina are gone and the caudates have begun to fade: grade 2 still, as the "
            f"caudate keeps {100 * one.fractions['caudate']:.0f} % and grade 3 begins below "
            f"{100 * LOST_CAUDATE:.0f} %; who looks at the picture may well say 3.",
        )
    if one.fractions["other"] > FADING:
        lost = f"The {one.side} comma has lost its tail, the {other} one fades"
        seen = "Both tails fade" if one.side == "none" else lost
        return Lesson("egg", f"{seen} towards the back, while the caudates stand: grade 2.")
    more = f", more so on the {one.side}" if one.side != "none" else ", on both sides alike"
    return Lesson(
        "egg",
        f"Both putamina are lost from the back{more}, while the caudates stand: two dots in place "
        "of two commas, grade 2.",
    )


def _hard(one: Chosen) -> Lesson:
    left, disease = one.fractions["fraction"], one.drawn.patient.pattern
    share = f"{100 * left:.0f} % of what is expected"
    if one.side != "none":
        return Lesson(
            "one-sided",
            f"Only the back of the {one.side} putamen is low, at {share}: early loss hides in one "
            "tail, so compare the two sides at the same height, in several slices.",
        )
    if one.grade == 3:
        return Lesson(
            "burst",
            f"The caudates are lost more than the putamina, which at {share} are just below the "
            "limit of 72 %: long but thin commas with no bright head are not normal either.",
        )
    if one.label:
        return Lesson(
            "borderline",
            f"Low on both sides with the shape nearly kept, at {share}, under the limit of "
            "72 %: the eye alone cannot settle it, and readers were unsure for the same reason.",
        )
    if disease in UNSEEN:
        return Lesson(
            "borderline",
            f"At {share} the weaker putamen is above the limit, though the patient has "
            f"{UNSEEN[disease]}: follow-up, not a firmer word, is what helps here.",
        )
    if disease == "borderline":
        return Lesson(
            "mild",
            f"Mildly low everywhere ({share}) with both commas whole: shape kept and no clear side "
            "mostly means no degeneration, above all in the old.",
        )
    if all(one.drawn.reading.votes):
        return Lesson(
            "mild",
            f"Both tails are there, at {share}. All five readers call it abnormal: they are given "
            "a noisy version of the truth and no picture, so trust the shape here.",
        )
    return Lesson(
        "mild",
        f"A healthy patient at the lower end of normal ({share}): paler than most, but the tail is "
        "there on both sides, so look at shape before brightness.",
    )
