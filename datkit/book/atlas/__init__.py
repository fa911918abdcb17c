"""The atlas of the book: one page of patterns and traps, made of simulated exams with known truth.

``entries.yaml``  what the page shows, an entry each: the patient, the camera, the sentence
``cases.yaml``    what the worked cases of the chapter on reporting say
``entries``       reads these tables
``exams``         simulates, prepares, measures and reads the exam of an entry
``pictures``      draws it
``page``          writes the page's Markdown and the worked cases

``python -m datkit.book.atlas --out build/atlas`` makes all of it; the book's build copies it. One
camera, one person's head and the mean healthy binding of their age: what differs between two
pictures is what their entries say, and noise.
"""
