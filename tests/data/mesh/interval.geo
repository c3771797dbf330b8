// Fixtures in this folder: gmsh -1|-2|-3 <name>.geo -format msh22|msh41 [-bin] -o <name>-<format>-<ascii|binary>.msh
Point(1) = {0, 0, 0}; Point(2) = {1, 0, 0}; Point(3) = {3, 0, 0};
Line(1) = {1, 2}; Line(2) = {3, 2};
Transfinite Curve {1} = 3; Transfinite Curve {2} = 5;
Physical Point("start") = {1}; Physical Point("end") = {3}; Physical Point("joint") = {2};
Physical Curve("steel") = {1}; Physical Curve("copper") = {2};
