"""Training of networks: the loop, its settings, its checkpoints and the random changes of exams.

``loop``        one epoch after the other, the same on a laptop, a GPU and several machines
``settings``    how to train, one frozen object that is stored with the model
``augment``     random changes that keep the label right
``checkpoint``  a training on disk, to be taken up where it was killed
``processes``   what several processes share
"""
