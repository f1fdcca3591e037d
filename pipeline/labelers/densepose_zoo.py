"""Chart models of DensePose's model zoo: weights and settings.

Facts of detectron2's projects/DensePose (doc/DENSEPOSE_IUV.md and configs/), which the installed package does not hold.
Reads nothing, imports no torch.
"""

from __future__ import annotations

URL = "https://dl.fbaipublicfiles.com/densepose"

# Model -> id and file of its weights. R_50, R_101: depth of the ResNet below the feature pyramid. DL: DeepLab head.
# WC1, WC2: confidences of U and V, iid isotropic or independent anisotropic; M: of the segmentation too. legacy: the
# first release, with 15 coarse channels and half the resolution.
WEIGHTS = {
    "densepose_rcnn_R_50_FPN_s1x": ("165712039", "model_final_162be9.pkl"),
    "densepose_rcnn_R_101_FPN_s1x": ("165712084", "model_final_c6ab63.pkl"),
    "densepose_rcnn_R_50_FPN_DL_s1x": ("165712097", "model_final_0ed407.pkl"),
    "densepose_rcnn_R_101_FPN_DL_s1x": ("165712116", "model_final_844d15.pkl"),
    "densepose_rcnn_R_50_FPN_s1x_legacy": ("164832157", "model_final_d366fa.pkl"),
    "densepose_rcnn_R_101_FPN_s1x_legacy": ("164832182", "model_final_10af0e.pkl"),
    "densepose_rcnn_R_50_FPN_WC1_s1x": ("173862049", "model_final_289019.pkl"),
    "densepose_rcnn_R_50_FPN_WC2_s1x": ("173861455", "model_final_3abe14.pkl"),
    "densepose_rcnn_R_50_FPN_DL_WC1_s1x": ("173067973", "model_final_b1e525.pkl"),
    "densepose_rcnn_R_50_FPN_DL_WC2_s1x": ("173859335", "model_final_60fed4.pkl"),
    "densepose_rcnn_R_101_FPN_WC1_s1x": ("171402969", "model_final_9e47f0.pkl"),
    "densepose_rcnn_R_101_FPN_WC2_s1x": ("173860702", "model_final_5ea023.pkl"),
    "densepose_rcnn_R_101_FPN_DL_WC1_s1x": ("173858525", "model_final_f359f3.pkl"),
    "densepose_rcnn_R_101_FPN_DL_WC2_s1x": ("173294801", "model_final_6e1ed1.pkl"),
    "densepose_rcnn_R_50_FPN_WC1M_s1x": ("217144516", "model_final_48a9d9.pkl"),
    "densepose_rcnn_R_50_FPN_WC2M_s1x": ("216245640", "model_final_d79ada.pkl"),
    "densepose_rcnn_R_50_FPN_DL_WC1M_s1x": ("216245703", "model_final_61971e.pkl"),
    "densepose_rcnn_R_50_FPN_DL_WC2M_s1x": ("216245758", "model_final_7bfb43.pkl"),
    "densepose_rcnn_R_101_FPN_WC1M_s1x": ("216453687", "model_final_0a7287.pkl"),
    "densepose_rcnn_R_101_FPN_WC2M_s1x": ("216245682", "model_final_e354d9.pkl"),
    "densepose_rcnn_R_101_FPN_DL_WC1M_s1x": ("216245771", "model_final_0ebeb3.pkl"),
    "densepose_rcnn_R_101_FPN_DL_WC2M_s1x": ("216245790", "model_final_de6e7a.pkl"),
}

# What all of them share, where it differs from the defaults of detectron2 and DensePose.
SHARED = {
    "BACKBONE.NAME": "build_resnet_fpn_backbone",
    "RESNETS.OUT_FEATURES": ["res2", "res3", "res4", "res5"],
    "FPN.IN_FEATURES": ["res2", "res3", "res4", "res5"],
    "ANCHOR_GENERATOR.SIZES": [[32], [64], [128], [256], [512]],
    "RPN.IN_FEATURES": ["p2", "p3", "p4", "p5", "p6"],
    "ROI_HEADS.NAME": "DensePoseROIHeads",
    "ROI_HEADS.IN_FEATURES": ["p2", "p3", "p4", "p5"],
    "ROI_HEADS.NUM_CLASSES": 1,
    "ROI_BOX_HEAD.NAME": "FastRCNNConvFCHead",
    "ROI_BOX_HEAD.NUM_FC": 2,
    "ROI_BOX_HEAD.POOLER_RESOLUTION": 7,
    "ROI_BOX_HEAD.POOLER_SAMPLING_RATIO": 2,
    "ROI_BOX_HEAD.POOLER_TYPE": "ROIAlign",
    "ROI_DENSEPOSE_HEAD.POOLER_TYPE": "ROIAlign",
}


def address(model: str) -> str:
    """Where the weights of a zoo model are fetched."""
    return "/".join((URL, model, *WEIGHTS[model]))


def settings(model: str) -> dict[str, object]:
    """Settings that build a zoo model from the defaults.

    Dotted name below MODEL -> value.
    """
    words = model.split("_")
    found: dict[str, object] = {**SHARED, "RESNETS.DEPTH": int(words[words.index("R") + 1])}
    found["ROI_DENSEPOSE_HEAD.NAME"] = "DensePoseDeepLabHead" if "DL" in words else "DensePoseV1ConvXHead"
    for word in words:
        if word.startswith("WC"):
            found["ROI_DENSEPOSE_HEAD.UV_CONFIDENCE.ENABLED"] = True
            found["ROI_DENSEPOSE_HEAD.UV_CONFIDENCE.TYPE"] = "iid_iso" if "1" in word else "indep_aniso"
            found["ROI_DENSEPOSE_HEAD.SEGM_CONFIDENCE.ENABLED"] = word.endswith("M")
    if "legacy" in words:
        found["ROI_DENSEPOSE_HEAD.NUM_COARSE_SEGM_CHANNELS"] = 15
        found["ROI_DENSEPOSE_HEAD.POOLER_RESOLUTION"] = 14
        found["ROI_DENSEPOSE_HEAD.DECODER_ON"] = False
    return found
