"""What the kit claims, measured: each benchmark is a package, run by ``python -m benchmarks.NAME``.

``common``     figures beside their targets, results on disk, what all benchmarks do alike
``cohort``     what the simulated cohort must show
``prepare``    where preparation finds the striata, and how fast beside others
``measure``    measures against the truth
``train``      the networks on a CPU and on a GPU
``projector``  the camera beside scikit-image and PyTomography
"""
