SetFactory("OpenCASCADE");
Rectangle(1) = {0, 0, 0.5, 1, 1};
Rectangle(2) = {1, 0, 0.5, 2, 1};
BooleanFragments{ Surface{1}; Delete; }{ Surface{2}; Delete; }
e = 1e-6;
Physical Curve("left") = Curve In BoundingBox {-e, -e, 0, e, 1 + e, 1};
Physical Curve("interface") = Curve In BoundingBox {1 - e, -e, 0, 1 + e, 1 + e, 1};
Physical Curve("right side") = Curve In BoundingBox {3 - e, -e, 0, 3 + e, 1 + e, 1};
Physical Surface("steel") = {1};
Physical Surface("copper") = {2};
Transfinite Curve {:} = 4; Transfinite Surface {:}; Recombine Surface {:};
