import pytest

from edgeinfer.energy.rapl import RaplMeter, choose_zones, find_zones


@pytest.fixture
def open_rapl(tmp_path, clock):
    return lambda: RaplMeter(choose_zones(find_zones(tmp_path)), clock=clock)


def chosen_folders(root):
    return [zone.path.name for zone in choose_zones(find_zones(root))]


@pytest.mark.usefixtures("laptop")
def test_a_laptop_is_its_package_once_and_its_dram(tmp_path):
    assert chosen_folders(tmp_path) == ["intel-rapl-mmio:0", "intel-rapl:0:2"]


def test_core_uncore_and_psys_are_never_added(laptop, open_rapl, count):
    meter = open_rapl()
    for folder in ("intel-rapl:0:0", "intel-rapl:0:1", "intel-rapl:1"):
        count(laptop[folder], 20_000.0)
    assert meter.read().joules == 0


def test_package_and_dram_add_up(laptop, open_rapl, count):
    meter = open_rapl()
    count(laptop["intel-rapl-mmio:0"], 5030.0)
    count(laptop["intel-rapl:0:2"], 704.0)
    assert meter.read().joules == pytest.approx(34.0)
    assert meter.name == "rapl package-0, package-0 dram"


@pytest.mark.usefixtures("laptop")
def test_a_package_is_called_package(open_rapl):
    assert open_rapl().coverage == "package"


def test_the_older_interface_serves_where_the_newer_cannot_be_read(tmp_path, add_zone):
    add_zone("intel-rapl:0", "package-0", 10.0)
    add_zone("intel-rapl-mmio:0", "package-0", None)
    assert chosen_folders(tmp_path) == ["intel-rapl:0"]


def test_psys_serves_where_the_package_cannot_be_read(add_zone, open_rapl):
    add_zone("intel-rapl:0", "package-0", None)
    add_zone("intel-rapl:1", "psys", 10.0)
    assert open_rapl().coverage == "system"


def test_half_of_two_packages_is_no_honest_sum(tmp_path, add_zone):
    add_zone("intel-rapl:0", "package-0", 10.0)
    add_zone("intel-rapl:1", "package-1", None)
    assert chosen_folders(tmp_path) == []


def test_two_dies_that_mirror_one_counter_count_once(add_zone, open_rapl, count):
    dies = [add_zone(f"intel-rapl:{n}", f"package-0-die-{n}", 5000.0 + n / 10) for n in (0, 1)]
    meter = open_rapl()
    for n, die in enumerate(dies):
        count(die, 5060.0 + n / 10)
    assert meter.read().joules == pytest.approx(60.0)


def test_two_sockets_of_their_own_count_both(add_zone, open_rapl, count):
    sockets = [add_zone(f"intel-rapl:{n}", f"package-{n}", 5000.0 + 80 * n) for n in (0, 1)]
    meter = open_rapl()
    for n, socket in enumerate(sockets):
        count(socket, 5060.0 + 80 * n)
    assert meter.read().joules == pytest.approx(120.0)


def test_a_counter_that_wraps_goes_on(add_zone, open_rapl, count, clock):
    zone = add_zone("intel-rapl:0", "package-0", 65_712.0)
    meter = open_rapl()
    clock.now += 1.0
    count(zone, 20.0)
    assert meter.read().joules == pytest.approx(20.999613)


def test_a_counter_that_was_reset_is_not_taken_for_a_wrap(add_zone, open_rapl, count, clock):
    zone = add_zone("intel-rapl:0", "package-0", 30_000.0)
    meter = open_rapl()
    clock.now += 1.0
    count(zone, 0.0)
    assert (meter.read().joules, meter.resets) == (0.0, 1)


def test_counting_goes_on_after_a_reset(add_zone, open_rapl, count, clock):
    zone = add_zone("intel-rapl:0", "package-0", 30_000.0)
    meter = open_rapl()
    for joules in (0.0, 12.0):
        clock.now += 1.0
        count(zone, joules)
        reading = meter.read()
    assert reading.joules == pytest.approx(12.0)


def test_a_counter_that_vanishes_is_an_os_error(add_zone, open_rapl):
    zone = add_zone("intel-rapl:0", "package-0", 1.0)
    meter = open_rapl()
    (zone / "energy_uj").unlink()
    with pytest.raises(OSError, match="energy_uj"):
        meter.read()


def test_a_counter_without_a_number_counts_as_unreadable(tmp_path, add_zone):
    zone = add_zone("intel-rapl:0", "package-0", 1.0)
    (zone / "energy_uj").write_text("none\n")
    (zone / "max_energy_range_uj").unlink()
    assert find_zones(tmp_path)[0].problem is not None


def test_closing_leaves_the_counters_alone(add_zone, open_rapl):
    add_zone("intel-rapl:0", "package-0", 1.0)
    meter = open_rapl()
    meter.close()
    assert meter.read().joules == 0


def test_a_part_whose_parent_is_missing_is_named_after_its_folder(tmp_path, add_zone):
    add_zone("intel-rapl:0:0", "dram", 1.0)
    assert find_zones(tmp_path)[0].label == "intel-rapl:0 dram"
