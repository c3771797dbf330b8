SetFactory("OpenCASCADE");
Box(1) = {0, 0, 0, 1, 1, 1};
Box(2) = {1, 0, 0, 2, 1, 1};
BooleanFragments{ Volume{1}; Delete; }{ Volume{2}; Delete; }
e = 1e-6;
Physical Surface("left") = Surface In BoundingBox {-e, -e, -e, e, 1 + e, 1 + e};
Physical Surface("interface") = Surface In BoundingBox {1 - e, -e, -e, 1 + e, 1 + e, 1 + e};
Physical Surface("right side") = Surface In BoundingBox {3 - e, -e, -e, 3 + e, 1 + e, 1 + e};
Physical Volume("steel") = {1};
Physical Volume("copper") = {2};
MeshSize {:} = 0.7;
