"""The settings of a run, section by section: data, model, objective, train; each with its label, range and help."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Width = Annotated[int, Meta(ge=1, le=16384)]
Channels = Annotated[int, Meta(ge=1, le=1024)]
Decay = Annotated[float, Meta(ge=0.0, le=0.999999)]


class DataConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Which images, how they are brought to one shape, and how they are split."""

    name: Annotated[str, Meta(title="Data set", description="A data set by name, or the path of a folder or file.")] = (
        "digits"
    )
    binarize: Annotated[
        Literal["none", "threshold", "static", "dynamic"],
        Meta(
            title="Binarise",
            description="none: grey values as probabilities; threshold: above one half is 1; static: drawn once; "
            "dynamic: drawn anew each time an image is used.",
        ),
    ] = "none"
    side: Annotated[
        Annotated[int, Meta(ge=4, le=512)] | None,
        Meta(title="Side", description="Resize every image to this many pixels a side; empty keeps the size."),
    ] = None
    fit: Annotated[
        Literal["crop", "pad", "stretch"],
        Meta(
            title="Fit",
            description="How an image that is not square meets the side: cut, padded or stretched.",
        ),
    ] = "crop"
    colour: Annotated[
        Literal["auto", "grey", "colour"],
        Meta(
            title="Colour",
            description="auto keeps what the images have; grey makes 1 channel, colour makes 3.",
        ),
    ] = "auto"
    validation: Annotated[
        Annotated[float, Meta(ge=0.0, le=0.5)] | None,
        Meta(
            title="Validation share",
            description="Share of the training images kept for validation; empty: 0 for IDX sets, 0.1 for others.",
        ),
    ] = None
    train_on: Annotated[
        Literal["train", "all"],
        Meta(title="Train on", description="The training split, or all images (then nothing is held out)."),
    ] = "train"
    seed: Annotated[
        int,
        Meta(
            title="Data seed",
            description="Seed of the split, of static binarisation and of drawn shapes.",
            ge=0,
            le=2**31 - 1,
        ),
    ] = 0
    labels_per_class: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000)] | None,
        Meta(
            title="Labels a class",
            description="Training images of each class whose label M2 sees, drawn by the data seed; empty: all labels.",
        ),
    ] = None
    count: Annotated[
        int, Meta(title="Shapes", description="How many images the drawn shapes have.", ge=10, le=1_000_000)
    ] = 6000
    hue: Annotated[bool, Meta(title="Hue", description="Give the drawn shapes a colour, one more factor.")] = False


class ModelConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The kind of model, its networks and its likelihood."""

    kind: Annotated[
        Literal["vae", "autoencoder", "m2", "m1m2"],
        Meta(
            title="Kind",
            description="A variational autoencoder; a plain one (codes without a distribution); M2, which learns "
            "classes from few labels; or M2 stacked on the codes of a VAE.",
        ),
    ] = "vae"
    network: Annotated[
        Literal["mlp", "conv"],
        Meta(title="Network", description="Fully connected layers, or convolutions (sides from 8 to 128)."),
    ] = "mlp"
    hidden: Annotated[
        tuple[Width, ...],
        Meta(
            title="Hidden layers",
            description="Widths of the fully connected layers, encoder order; the decoder mirrors them.",
            max_length=16,
        ),
    ] = (400,)
    channels: Annotated[
        tuple[Channels, ...],
        Meta(
            title="Channels",
            description="Channels of the convolutions, each halving the side; the decoder mirrors them.",
            min_length=1,
            max_length=6,
        ),
    ] = (32, 64)
    activation: Annotated[
        Literal["relu", "tanh", "silu", "softplus"],
        Meta(title="Activation", description="The nonlinearity of the hidden layers."),
    ] = "relu"
    latent_dim: Annotated[
        int,
        Meta(
            title="Latent dimensions",
            description="How many numbers a code has; 2 can be seen whole.",
            ge=1,
            le=256,
        ),
    ] = 2
    style_dim: Annotated[
        int,
        Meta(
            title="Style dimensions",
            description="Numbers in the upper code of M2 stacked on a VAE, whose own codes have the latent dimensions.",
            ge=1,
            le=256,
        ),
    ] = 50
    likelihood: Annotated[
        Literal["bernoulli", "continuous_bernoulli", "gaussian", "discretised_logistic"],
        Meta(
            title="Likelihood",
            description="p(x|z) of a pixel: Bernoulli (a density of zeros and ones only), continuous Bernoulli and "
            "Gaussian (densities on [0, 1] and on the line), or a logistic over the data's own grey levels.",
        ),
    ] = "bernoulli"
    variance: Annotated[
        Literal["unit", "fixed", "learnt", "per_pixel", "decoder"],
        Meta(
            title="Variance",
            description="Of a Gaussian or logistic likelihood: 1, a fixed scale, one learnt scale for all pixels, a "
            "learnt one for each pixel, or one that the decoder gives for each pixel of each code.",
        ),
    ] = "unit"
    scale: Annotated[
        float,
        Meta(
            title="Scale",
            description="Standard deviation where the variance is fixed; of a discretised logistic its scale s, "
            "sd = pi s / sqrt(3).",
            ge=1e-4,
            le=100.0,
        ),
    ] = 0.1
    output: Annotated[
        Literal["sigmoid", "identity"],
        Meta(title="Output", description="How the decoder's output becomes a Gaussian or logistic mean."),
    ] = "sigmoid"
    prior: Annotated[
        Literal["standard_normal", "mixture", "vampprior"],
        Meta(
            title="Prior",
            description="p(z): N(0, I), a learnt mixture of Gaussians, or the mean posterior of learnt pseudo-images.",
        ),
    ] = "standard_normal"
    components: Annotated[
        int,
        Meta(title="Components", description="Gaussians, or pseudo-images, of a learnt prior.", ge=1, le=5000),
    ] = 20
    init: Annotated[
        Literal["default", "glorot", "normal"],
        Meta(
            title="Initial weights",
            description="default: uniform within 1/sqrt(inputs); glorot: Glorot & Bengio 2010; normal: N(0, scale "
            "squared), biases too.",
        ),
    ] = "default"
    init_scale: Annotated[
        float,
        Meta(title="Initial scale", description="Standard deviation of normal initial weights.", ge=1e-6, le=1.0),
    ] = 0.01


class ObjectiveConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What is minimised: by default loss = distortion + beta * kl, nats per image."""

    bound: Annotated[
        Literal["elbo", "iwae"],
        Meta(
            title="Bound",
            description="The ELBO, or the tighter importance-weighted bound of k = samples codes (Burda et al. 2016).",
        ),
    ] = "elbo"
    samples: Annotated[
        int,
        Meta(title="Samples", description="Codes drawn for each image and update: L, or k of IWAE.", ge=1, le=10_000),
    ] = 1
    kl: Annotated[
        Literal["analytic", "monte_carlo"],
        Meta(
            title="KL",
            description="analytic: the closed form where one exists; monte_carlo: from the same samples.",
        ),
    ] = "analytic"
    gradient: Annotated[
        Literal["reparameterised", "score_function", "dreg"],
        Meta(
            title="Gradient",
            description="Of the encoder: through the sample, by the score function (noisy), or doubly reparameterised.",
        ),
    ] = "reparameterised"
    beta: Annotated[
        float,
        Meta(
            title="beta",
            description="Weight of the KL term in the loss; 1 is the bound itself. A list such as [0.5, 1, 2, 4] "
            "trains a model of each value, side by side.",
            ge=0.0,
            le=1000.0,
        ),
    ] = 1.0
    warmup: Annotated[
        Literal["none", "linear", "cyclic"],
        Meta(
            title="Warm-up",
            description="beta climbs from 0 once, or again and again, the second half of each cycle at full weight.",
        ),
    ] = "none"
    warmup_steps: Annotated[
        int, Meta(title="Warm-up steps", description="Steps of the climb, or of a cycle.", ge=1, le=10**9)
    ] = 2000
    free_bits: Annotated[
        float,
        Meta(
            title="Free bits",
            description="Nats of each latent dimension's KL, averaged over the batch, that cost nothing.",
            ge=0.0,
            le=100.0,
        ),
    ] = 0.0
    similarity: Annotated[
        Literal["kl", "mmd", "reverse_kl", "wasserstein2", "renyi"],
        Meta(
            title="Similarity",
            description="What keeps q near p: KL[q||p], the bound's own; MMD of all codes (WAE); KL[p||q], squared "
            "Wasserstein-2 or Renyi divergence: with those the loss is no longer a bound.",
        ),
    ] = "kl"
    renyi_alpha: Annotated[
        float, Meta(title="Renyi alpha", description="Order of the Renyi divergence; 1 is the KL.", ge=0.01, le=0.99)
    ] = 0.5
    mmd_weight: Annotated[
        float,
        Meta(
            title="MMD weight",
            description="Weight of the maximum mean discrepancy of codes and prior, beside the KL or in its place.",
            ge=0.0,
            le=1e6,
        ),
    ] = 0.0
    mmd_kernel: Annotated[
        Literal["rbf", "imq"],
        Meta(title="MMD kernel", description="Gaussian, or inverse multiquadric with heavier tails."),
    ] = "imq"
    mmd_scale: Annotated[
        Annotated[float, Meta(ge=1e-3, le=1e3)] | None,
        Meta(
            title="MMD scale",
            description="The kernel's length scale; empty: sqrt(2 latent dimensions), the distance of two codes.",
        ),
    ] = None
    tc_weight: Annotated[
        float,
        Meta(
            title="TC weight",
            description="Additional weight of the codes' total correlation: beta - 1 of beta-TCVAE (Chen et al. 2018).",
            ge=0.0,
            le=1000.0,
        ),
    ] = 0.0
    classification_weight: Annotated[
        float,
        Meta(
            title="alpha",
            description="Weight of -log q(y|x), the mean over labelled images, in M2: Kingma et al. 2014 take 0.1 "
            "(their 0.1 N on summed losses).",
            ge=0.0,
            le=10_000.0,
        ),
    ] = 0.1
    weight_prior: Annotated[
        Annotated[float, Meta(ge=1e-3, le=1e3)] | None,
        Meta(
            title="Weight prior",
            description="Standard deviation s of a Gaussian prior over weights, which costs |w|^2 / (2 s^2 N).",
        ),
    ] = None


class TrainConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How long, how fast and where it is trained."""

    batch_size: Annotated[int, Meta(title="Batch size", description="Images an update.", ge=1, le=65536)] = 128
    labelled_batch: Annotated[
        int,
        Meta(title="Labelled", description="How many images of each batch have a label (M2).", ge=1, le=65536),
    ] = 64
    optimizer: Annotated[
        Literal["adam", "adagrad", "rmsprop"],
        Meta(title="Optimiser", description="Adam, Adagrad or RMSprop."),
    ] = "adam"
    learning_rate: Annotated[
        float, Meta(title="Learning rate", description="Step size of the optimiser.", ge=1e-8, le=10.0)
    ] = 1e-3
    betas: Annotated[
        tuple[Decay, Decay],
        Meta(
            title="Decays", description="Adam's decay of the mean gradient and of its square; RMSprop takes the second."
        ),
    ] = (0.9, 0.999)
    eps: Annotated[float, Meta(title="Epsilon", description="Added to the optimiser's divisor.", ge=0.0, le=1.0)] = 1e-8
    lr_schedule: Annotated[
        str,
        Meta(
            title="Rate steps",
            description="Factors of the learning rate from an epoch on, such as '10: 0.5, 20: 0.1'; empty: constant.",
            pattern=r"^\s*(\d+\s*:\s*\d*\.?\d+(e-?\d+)?\s*(,\s*\d+\s*:\s*\d*\.?\d+(e-?\d+)?\s*)*)?$",
        ),
    ] = ""
    pretrain_steps: Annotated[
        int,
        Meta(
            title="M1 steps",
            description="Steps that train the VAE below before M2 is trained on its codes (M1+M2).",
            ge=1,
            le=10**9,
        ),
    ] = 5000
    epochs: Annotated[
        int,
        Meta(
            title="Epochs",
            description="Passes over the training images; ceil(epochs N / B) updates.",
            ge=1,
            le=10_000_000,
        ),
    ] = 20
    steps: Annotated[
        Annotated[int, Meta(ge=1, le=10**12)] | None,
        Meta(title="Steps", description="Updates in all; empty: the epochs decide."),
    ] = None
    seed: Annotated[int, Meta(title="Seed", description="Seed of weights, batches and noise.", ge=0, le=2**31 - 1)] = 0
    device: Annotated[
        str,
        Meta(
            title="Device",
            description="auto, cpu, cuda, cuda:N or mps; auto takes the first accelerator there is.",
            pattern=r"^(auto|cpu|mps|cuda(:[0-9]+)?)$",
        ),
    ] = "auto"
    precision: Annotated[
        Literal["fp32", "bf16"],
        Meta(
            title="Precision",
            description="Of the products in an update: fp32, or bf16 beside fp32 weights, faster where the processor "
            "multiplies it in hardware.",
        ),
    ] = "fp32"
    log_every: Annotated[
        int,
        Meta(
            title="Log every",
            description="Steps between two points of the training curves.",
            ge=1,
            le=1_000_000,
        ),
    ] = 50
    evaluate_every: Annotated[
        Annotated[int, Meta(ge=1, le=10**9)] | None,
        Meta(
            title="Evaluate every",
            description="Steps between two held-out evaluations; empty: once an epoch.",
        ),
    ] = None
    checkpoint_every_s: Annotated[
        float,
        Meta(
            title="Save every",
            description="Seconds between two checkpoints while it trains.",
            ge=1.0,
            le=86400.0,
        ),
    ] = 60.0
