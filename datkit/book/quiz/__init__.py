"""Questions with feedback in the pages of the book, and self-tests made of them.

``questions``  a question as an author writes it in Markdown, read and checked
``sphinx``     the directives ``question`` and ``selftest``, which make HTML of it

The page's part is ``book/static/dat-quiz.js``: it checks, tells why, and keeps the score. Without
it every answer stands in a folded block.
"""
