"""Places leave the people in front of their camera in plain view."""

import numpy as np
import pytest

from pipeline.datasets.synped.camera import draw_camera
from pipeline.datasets.synped.materials import paint
from pipeline.datasets.synped.people import Person
from pipeline.datasets.synped.raycast import Scene
from pipeline.datasets.synped.shot import CLEAR, _stand, hidden_share
from pipeline.datasets.synped.solids import box
from pipeline.datasets.synped.style import STYLES
from sorn.parts import TORSO


@pytest.mark.parametrize(("style", "name"), [(style, name) for style in STYLES for name in STYLES[style].places])
def test_people_are_seen_wherever_they_stand(style, name):
    style = STYLES[style]
    mesh = box((0.45, 0.25, 1.7), (0, 0, 0.85), paint((90, 90, 90)))
    mesh.part[:] = TORSO
    person, upright = Person(mesh, np.zeros((17, 3), np.float32)), Scene(mesh)
    hidden = []
    for seed in range(3):
        rng = np.random.default_rng([seed, 17])
        camid = 1 + list(style.places).index(name)
        camera = draw_camera(rng, camid, style)
        assert camera.place == name
        place = style.places[name](rng)
        still = Scene(place.mesh)
        assert not place.mesh.part.any()
        assert 0 < place.near < place.far
        assert ((place.ground > 0.005) & (place.ground < 0.9)).all()
        for _ in range(25):
            stand = _stand(camera, place, person, upright, rng)
            hidden.append(hidden_share(stand.target, [still], stand.view, stand.box))
    assert np.mean(np.array(hidden) > CLEAR) < 0.1, f"{np.mean(np.array(hidden) > CLEAR):.0%} of the spots are hidden"
