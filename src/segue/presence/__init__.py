"""Whether something is in the picture: present, absent or unsure, with a calibrated probability.

evidence ─► calibration ─► verdict
what the chat model said, the detector's best score, the agreement of both, the mask's own estimate
"""

from segue.presence.calibration import PresenceCalibration
from segue.presence.evidence import PresenceEvidence
from segue.values.presence import PresenceVerdict

__all__ = ["PresenceCalibration", "PresenceEvidence", "PresenceVerdict"]
