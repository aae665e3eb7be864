Cell = Run = sweep = None
