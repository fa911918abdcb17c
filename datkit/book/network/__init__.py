"""The network in the page: three exams, a small network that was trained for it, what it does.

``changes``   what a reader may do to an exam, in Python: the page's script does the same
``pack``      the files that the page loads, ``python -m datkit.book.network.pack``
``measured``  what the changes do to the network, as Markdown that the page includes

The page is ``book/chapters/network_in_the_page.md`` with ``book/static/dat-network*.js``.
"""
