"""The reading trainer's exams: which they are, what is true of them, and how a page gets them.

``exams.toml``  which exams, in which block; which are read again
``chosen``      that table, each exam drawn: its truth and what readers called it
``lessons``     one sentence an exam, shown after the answer, and where the book trains it
``pack``        the files that the pages load, ``python -m datkit.book.reading.pack``

The pages are ``book/chapters/reading*.md`` with ``book/static/dat-reading*.js``.
"""
