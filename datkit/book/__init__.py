"""Notebooks and book: run them, check them, build them.

``run``         executes notebooks, each by ``execution``
``gate``        says what is wrong with one: ``code_rules``, ``prose_rules``, ``executed_rules``
``patterns``    the rules of ``rules.toml``, each a pattern or a few
``build``       makes the book of its chapters, the executed notebooks and the pages of ``api``
``student``     student notebooks: blanks in place of solutions, plain Markdown, numbers of the run
``atlas``       the page of patterns and traps, made of simulated exams
``network``     a network that runs in the page, and what changes to an exam do to it
``quiz``        questions with feedback, and the self-tests of the parts
``notebook``    a notebook as the rules see it; ``imports``, what it may import
``lists.toml``  words and names that the rules look for

This room is not in the wheel: it works on the notebooks and chapters of a checkout, where
``make install`` installs the package in place. What a built page needs of the installed package is
:mod:`datkit.view.sphinx`; nothing imports from here.
"""
