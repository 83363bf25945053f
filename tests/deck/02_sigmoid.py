import numpy as np
import matplotlib; matplotlib.use("Agg"); import matplotlib.pyplot as plt
h = lambda z: 1./(1+np.exp(-z))
zs=np.arange(-5,5,0.1)
plt.plot(zs, h(zs), alpha=0.5); plt.savefig("sigmoid.png")
