"""Notebooks and book: run them, check them, build them.

Import what you need from its module: :mod:`~datkit.book.run` executes notebooks,
:mod:`~datkit.book.gate` says what is wrong with one, :mod:`~datkit.book.build` makes the book.
"""
