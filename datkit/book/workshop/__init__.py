"""The workshop, made from the notebooks: plans with times, slides, handout, answer key, stick.

===========  =======================================================================
module       what is in it
===========  =======================================================================
`lessons`    a notebook by its sections: words, exercises, cells and their seconds
`plan`       the plans of ``plans.toml``, and whether their minutes suffice
`pages`      the page of plans, and what a workshop prints and projects
`slides`     a plan's notebooks as slides: first figures, questions, answers
`handout`    one page for participants, and the answers for whoever teaches
`warm`       what notebooks wait for, done the day before
`wheels`     packages for other systems, with all that they need there
`stick`      the folder for a memory stick; ``installer/`` is what runs from it
===========  =======================================================================
"""
