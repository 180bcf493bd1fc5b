"How networks are trained: the package behind the notebooks."
