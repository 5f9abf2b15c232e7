"""One module a kind of question; each has `ask(scene, rng)`, which yields what the scene allows.

A yes/no question first decides by a coin what its answer will be, and is asked only of scenes that
allow both answers: so Yes and No are as frequent, in all and for each wording.
"""
