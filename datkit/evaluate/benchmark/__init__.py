"""The benchmark: models, references and controls on the same exams, in every setting.

``exams``     what is learnt from and scored, and the folds of each setting
``entrants``  what takes part: models, the oracle, the panel of readers, controls
``run``       one cell after the other: fit on a fold's training exams, predict its test exams
``bands``     what each control must give, from theory or from the cohort, and whether it does
``board``     scores with intervals, ranks with ties, as text, Markdown and a picture
"""
