"""Study: what retraining through the hardware recovers of a perceptron on cells and pulses of few bits, after Obradovic
et al., "High-accuracy inference in neuromorphic circuits using hardware-aware training" (arXiv:1809.04982)."""
