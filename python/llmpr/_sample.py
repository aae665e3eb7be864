Completion=sample=None
