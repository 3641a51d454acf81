"""One small run of every kind of model and objective whose updates differ in what they do."""

KINDS = {
    "vae": {},
    "score function": {"objective.gradient": "score_function", "objective.samples": 2},
    "monte carlo": {"objective.kl": "monte_carlo", "objective.free_bits": 0.2, "objective.samples": 2},
    "importance weighted": {"objective.bound": "iwae", "objective.samples": 3},
    "doubly reparameterised": {"objective.bound": "iwae", "objective.samples": 3, "objective.gradient": "dreg"},
    "score function of a bound": {
        "objective.bound": "iwae", "objective.samples": 3, "objective.gradient": "score_function",
    },
    "mmd and total correlation": {
        "objective.mmd_weight": 5.0, "objective.tc_weight": 2.0, "objective.weight_prior": 1.0,
    },
    "wae": {"objective.similarity": "mmd", "objective.mmd_weight": 5.0},
    "mixture": {"model.prior": "mixture", "model.components": 3},
    "vampprior": {"model.prior": "vampprior", "model.components": 5},
    "binarised anew": {"data.binarize": "dynamic"},
    "schedules": {
        "objective.warmup": "linear", "objective.warmup_steps": 30, "objective.free_bits": 0.1,
        "train.lr_schedule": "1: 0.5",
    },
    "learnt scale": {"model.likelihood": "gaussian", "model.variance": "learnt"},
    "adagrad": {"train.optimizer": "adagrad", "train.learning_rate": 0.02},
    "rmsprop": {"train.optimizer": "rmsprop"},
    "conv": {"model.network": "conv", "model.channels": [4], "model.hidden": []},
    "autoencoder": {"model.kind": "autoencoder"},
    "m2": {"model.kind": "m2", "data.labels_per_class": 10, "train.labelled_batch": 16},
    "m1m2": {
        "model.kind": "m1m2", "data.labels_per_class": 10, "train.labelled_batch": 16, "train.pretrain_steps": 13,
        "model.style_dim": 3,
    },
}  # fmt: skip
