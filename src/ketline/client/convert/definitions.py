"""Gates of other libraries that stdgates.inc lacks, defined by gates that it has; each equal to its unitary exactly.

`writer.py` adds those that a program calls.
Clifford gates are defined by Clifford gates, so that the service can simulate them as such.
"""

from collections.abc import Mapping

_TEXTS = """
gate sxdg a { h a; sdg a; h a; }
gate u(theta, phi, lambda) a { rz(lambda) a; ry(theta) a; rz(phi) a; gphase((phi + lambda) / 2); }
gate prx(theta, phi) a { rz(-phi) a; rx(theta) a; rz(phi) a; }
gate gpi(phi) a { x a; rz(2 * phi) a; }
gate gpi2(phi) a { rz(-phi) a; rx(pi / 2) a; rz(phi) a; }
gate v a { sx a; gphase(-pi / 4); }
gate vdg a { h a; sdg a; h a; gphase(pi / 4); }
gate cv a, b { crx(pi / 2) a, b; }
gate cvdg a, b { crx(-pi / 2) a, b; }
gate csx a, b { h b; cp(pi / 2) a, b; h b; }
gate csxdg a, b { h b; cp(-pi / 2) a, b; h b; }
gate rxx(theta) a, b { h a; h b; cx a, b; rz(theta) b; cx a, b; h a; h b; }
gate ryy(theta) a, b { sdg a; sdg b; h a; h b; cx a, b; rz(theta) b; cx a, b; h a; h b; s a; s b; }
gate rzz(theta) a, b { cx a, b; rz(theta) b; cx a, b; }
gate zzmax a, b { s a; s b; cz a, b; gphase(-pi / 4); }
gate xy(theta) a, b { h a; h b; cx a, b; rz(-theta / 2) b; cx a, b; h a; h b; sdg a; sdg b; h a; h b; cx a, b;
  rz(-theta / 2) b; cx a, b; h a; h b; s a; s b; }
gate iswap a, b { s a; s b; h a; cx a, b; cx b, a; h b; }
gate iswapdg a, b { h b; cx b, a; cx a, b; h a; sdg b; sdg a; }
gate ecr a, b { s a; sx b; cx a, b; x a; gphase(-pi / 4); }
gate pswap(theta) a, b { swap a, b; cx a, b; p(theta) b; cx a, b; }
gate cphase00(theta) a, b { x a; x b; cp(theta) a, b; x a; x b; }
gate cphase01(theta) a, b { x a; cp(theta) a, b; x a; }
gate cphase10(theta) a, b { x b; cp(theta) a, b; x b; }
gate ms(phi0, phi1, theta) a, b { rz(-phi0) a; rz(-phi1) b; h a; h b; cx a, b; rz(theta) b; cx a, b; h a; h b;
  rz(phi0) a; rz(phi1) b; }
gate fsim(theta, phi) a, b { h a; h b; cx a, b; rz(theta) b; cx a, b; h a; h b; sdg a; sdg b; h a; h b; cx a, b;
  rz(theta) b; cx a, b; h a; h b; s a; s b; cp(-phi) a, b; }
gate ccz a, b, c { h c; ccx a, b, c; h c; }
gate bridge a, b, c { cx b, c; cx a, b; cx b, c; cx a, b; }
"""


def _by_name(texts: str) -> Mapping[str, str]:
    definitions = texts.strip().replace("\n  ", " ").splitlines()
    return {text.split()[1].partition("(")[0]: text for text in definitions}


# The text of each definition by the gate's name.
DEFINITIONS = _by_name(_TEXTS)
