import pytest

from thaw.storage.disk_space import require_space
from tlcore.errors import DatasetError


def test_a_full_disk_is_told_before_the_work(tmp_path):
    require_space(tmp_path, 1)
    with pytest.raises(DatasetError, match=r"of free disk.*Free some space"):
        require_space(tmp_path, 10**18)
