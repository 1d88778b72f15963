"""The readable model card, made from the machine-readable one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inference.data.preprocessing import MODALITIES

TITLES = {
    "pix2pix": "Pix2Pix",
    "restormer": "Restormer",
    "diffusion_unet": "Diffusion-UNet",
    "fid_med": "FID-Med feature network",
}

CHOICES = {
    "pix2pix": (
        "U-Net generator of 8 levels (Isola et al. 2017), modality as three constant input planes. "
        "Deviations of the small preset: 16 features; the generator's output is added to its input in units "
        "of each modality's usual residual, without tanh and dropout; it also sees the image's detail (what a "
        "3 x 3 mean leaves) in these units; instance instead of batch norm; a discriminator of half width; L1 weight "
        "1,000 instead of 100, at which the small generator draws noise; the L1 of each modality is weighted by the "
        "inverse of its usual residual; beta1 0.5."
    ),
    "restormer": (
        "Transposed attention and gated feed-forward blocks (Zamir et al. 2022) in three encoder and three "
        "decoder levels around the latent level, our reading of '6-stage'; hidden widths are multiples of "
        "8; global residual. Deviations of the small preset: dim 24 with fewer blocks; the residual is added in "
        "units of what is usual in each modality, and the squared error (instead of L1) is weighted by the inverse; "
        "the network also sees the image's detail (what a 3 x 3 mean leaves) in these units; the last convolution "
        "starts at zero; crops of full width instead of growing squares."
    ),
    "diffusion_unet": (
        "Epsilon-prediction over the linear 1,000-step schedule; levels at 2, 4, 8 and 16x with self-"
        "attention at 16x; FiLM time embedding; condition concatenated with an indicator, dropped in 10 % "
        "of training images. Deviations of the small preset: epsilon is predicted through a linear "
        "skip about the measurement, so the network models the residual, in units of a deviation fixed per "
        "modality (CT 0.022, MR 0.194, US 0.38 of a range of 2, the RMS residual of the training pairs); "
        "without the condition it still sees that residual. All noise levels are weighted alike, "
        "timesteps are drawn as T u^2 (more of them at low noise), no perceptual term. The last of 10 or 20 "
        "steps still visits a noise far above CT's residual: CT comes out close to the conditional mean, and "
        "only many steps draw a sample of its noise."
    ),
    "fid_med": (
        "Inception-V3 (Szegedy et al. 2016) at half of its width, trained on modality-and-anatomy "
        "labels and on telling references from degraded images of training patients; gain and gamma of MR "
        "and ultrasound varied in training; ships with the PCA to 32 dimensions fitted on training "
        "references."
    ),
}

LIMITS = (
    "Research use only, not for diagnosis. A short training of small networks on few patients: enough to "
    "compare how the methods behave, not to rank them as published. Training references were rotated by up to 10 "
    "degrees, and those of ultrasound shown at other gains and dynamic ranges. MR training anatomy is brain and "
    "prostate: the one knee of the pool is for testing only. MR k-space is retrospective from magnitude. "
    "8-bit CT (a lung window of -1350 to 150 HU is assumed) and 8-bit MR slices were used for training "
    "variety only, never for validation or test. Few patients: read the SD and n."
)

CITATIONS = (
    "TCIA COVID-19-NY-SBU, CC BY 4.0.",
    "TCIA PROSTATEx, CC BY 3.0.",
    "TCIA Vestibular-Schwannoma-SEG, CC BY 4.0.",
    "Momot, carotid ultrasound, 2022, Mendeley Data d4xt63mgjm; licence not confirmed at the source.",
    "IQ-OTH/NCCD lung CT, Mendeley Data bhmdr45bh2; licence not confirmed at the source.",
    "Cheng, brain tumour MR, figshare 1512427; licence not confirmed at the source.",
)


def card_markdown(card: Mapping[str, Any]) -> str:
    """The card as Markdown: figures first, then how it was made, data, licences and limits."""
    parts = [f"# {TITLES[card['method']]}", "", CHOICES[card["method"]], ""]
    parts += _gain_table(card["gain"]) if "gain" in card else _accuracy(card["held_out_accuracy"])
    parts += ["", "## How it was made", "", *_facts(card), "", "## Patients", "", *_patients(card)]
    parts += ["", "## Training data", ""]
    parts += ["| source | modality | licence | patients | slices |", "|---|---|---|---|---|"]
    for source in card["sources"]:
        kind = source["modality"] + (" (8-bit display)" if source["display_only"] else "")
        row = (source["source"], kind, source["licence"], source["patients"], source["slices"])
        parts.append("| " + " | ".join(str(v) for v in row) + " |")
    parts += ["", "## Citations", "", *(f"- {c}" for c in CITATIONS), "", "## Limits", "", LIMITS, ""]
    return "\n".join(parts)


def _patients(card: Mapping[str, Any]) -> list[str]:
    """How many patients were for what, who was held out, and whom the weights knew before."""
    lines = ["| modality | training | validation | test |", "|---|---|---|---|"]
    for modality, n in card["patients"].items():
        lines.append(f"| {modality} | {n['training']} | {n['validation']} | {n['test']} |")
    lines += ["", "Held out by name or by the split: " + ", ".join(card["test_patients"]) + "."]
    if card["earlier_patients"]:
        lines += ["", "The weights it started from also know: " + ", ".join(card["earlier_patients"]) + "."]
    for part, patients in card["left_out_patients"].items():
        if patients:
            known = "left out, since the weights it started from were made with them"
            lines += ["", f"Patients of this pool's {part} part {known}: " + ", ".join(patients) + "."]
    return lines


def _facts(card: Mapping[str, Any]) -> list[str]:
    cpu = card["device"].startswith("CPU")
    trained = f"CPU-trained ({card['device']}, " if cpu else f"Trained on {card['device']} ("
    network = ", ".join(f"{k} {v}" for k, v in card["network"].items())
    processor = f" ({card['cpu_seconds'] / 60:.0f} of processor time)" if card.get("cpu_seconds") else ""
    size = "crops of {} x {}".format(*card["crop"]) if card["crop"] else "whole frames"
    before = f" Started from weights of {card['started_from']}." if card.get("started_from") else ""
    evaluated = f" The table above: {card['evaluated_on']}." if card.get("evaluated_on") else ""
    return [
        f"- {trained}torch {card['torch']}), {card['seconds'] / 60:.0f} minutes{processor}.{before}{evaluated}",
        f"- Preset {card['preset']}: {card['steps']} steps, batch {card['batch']}, {size}, "
        f"learning rate {card['learning_rate']:g} with cosine decay, EMA weights"
        f"{', picked by ' + card['chosen_by'] if card.get('chosen_by') else ''}.",
        f"- {card['parameters']:,} parameters ({network}), {card['bytes'] / 2**20:.2f} MiB in half precision.",
        f"- {card['training_slices']} training pairs{_resampled(card)}, physics version {card['physics_version']}: "
        "quarter-dose CT, 6x MR, -6 dB ultrasound.",
        f"- SHA-256 of the weights: `{card['sha256']}`.",
    ]


def _resampled(card: Mapping[str, Any]) -> str:
    sides = [f"{name} {side}" for name, side in zip(MODALITIES, card.get("matrix", ()), strict=False) if side]
    return f" of references resampled to a longer side of {', '.join(sides)} pixels" if sides else ""


def _gain_table(variants: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    lines = [
        "## Gain over the degraded input on held-out patients",
        "",
        "PSNR in dB, averaged within a patient, then over patients; SD over patients; below 5 patients: *.",
        "",
        "| setting | modality | input | output | gain | SD | SSIM | NMSE x1e-3 | patients | slices |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, modalities in variants.items():
        for modality, g in modalities.items():
            sd = "undefined" if g["gain_sd"] is None else f"{g['gain_sd']:.2f}"
            mark = "*" if g["patients"] < 5 else ""
            quality = f"{g['ssim']:.3f} | {1000 * g['nmse']:.2f} | {g['patients']}{mark} | {g['slices']}"
            gain = f"{g['degraded_psnr']:.2f} | {g['psnr']:.2f} | {g['gain']:+.2f} | {sd}"
            lines.append(f"| {name} | {modality} | {gain} | {quality} |")
    return lines


def _accuracy(accuracy: Mapping[str, Mapping[str, float]]) -> list[str]:
    lines = [
        "## On held-out patients",
        "",
        "Share of images (references and degraded) whose modality is recognised, and that are told reference "
        "or degraded; chance is about a third and a half. CT at a quarter of the dose differs little at this "
        "network's input size.",
        "",
        "| modality | modality recognised | reference or degraded | patients | images |",
        "|---|---|---|---|---|",
    ]
    for name, a in accuracy.items():
        share = f"{a['modality']:.1%} | {a['quality']:.1%}"
        lines.append(f"| {name} | {share} | {a['patients']:.0f} | {a['images']:.0f} |")
    return lines
