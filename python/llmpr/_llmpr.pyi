from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

__version__: str

class Facts: ...

def command(words: Sequence[str]) -> int: ...
def score_rows(
    reference: Any,
    samples: Any,
    options: str,
    prompts: Optional[List[str]] = None,
    facts: Optional[Sequence[Facts]] = None,
    threads: Optional[int] = None,
) -> str: ...
def score_counts(reference: List[int], samples: List[int], options: str) -> str: ...
def score_table(score: str, all: bool) -> str: ...
def first_measures(score: str) -> List[str]: ...
def row_facts(reference: Any, samples: Any, options: str, threads: Optional[int] = None) -> Dict[str, Any]: ...
def embed_texts(
    texts: List[str],
    embedder: str,
    pooling: Optional[str] = None,
    max_tokens: Optional[int] = None,
    device: Optional[str] = None,
    dtype: Optional[str] = None,
    threads: Optional[int] = None,
) -> Tuple[npt.NDArray[np.float32], Facts]: ...
def embed_ids(
    ids: List[List[int]],
    embedder: str,
    max_tokens: Optional[int] = None,
    device: Optional[str] = None,
    threads: Optional[int] = None,
) -> npt.NDArray[np.float32]: ...
def measure(
    name: str,
    reference: Any,
    samples: Any,
    k: int,
    inclusive: bool = False,
    seed: int = 0,
    threads: Optional[int] = None,
) -> Dict[str, float]: ...
def vendi_scores(rows: Any, orders: List[float], threads: Optional[int] = None) -> List[float]: ...
def realism_scores(reference: Any, samples: Any, k: int, threads: Optional[int] = None) -> npt.NDArray[np.float64]: ...
def mauve_of_rows(
    reference: Any,
    samples: Any,
    clusters: Optional[int] = None,
    explained: float = 0.9,
    redos: int = 5,
    iterations: int = 500,
    scaling: float = 5.0,
    weights: int = 25,
    seed: int = 0,
    fit_rows: Optional[int] = None,
    threads: Optional[int] = None,
) -> Dict[str, Any]: ...
def mauve_of_counts(reference: List[int], samples: List[int], scaling: float = 5.0, weights: int = 25) -> Dict[str, Any]: ...
def pr_curve(
    reference: List[float], samples: List[float], lambdas: List[float]
) -> Tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]: ...
def words(name: str, texts: List[List[str]], order: int = 4, threads: Optional[int] = None) -> Dict[str, List[float]]: ...
def save_features(path: str, rows: Any, facts: List[Tuple[str, str]]) -> None: ...
def load_features(path: str) -> npt.NDArray[np.float32]: ...
def sweep(
    words: List[str], functions: Dict[str, Tuple[Any, str]], progress: Any = None, threads: Optional[int] = None
) -> Tuple[str, List[Tuple[str, str, str]], List[str], int]: ...
def sweep_plan(words: List[str], functions: Dict[str, Tuple[Any, str]], threads: Optional[int] = None) -> Tuple[str, List[str]]: ...
