// Two squares side by side with a periodic pair of edges; saved whole, in parts, with parametric coordinates.
// gmsh -2 sections.geo [-part 3 -part_ghosts] [-save_parametric] [-save_all] -format msh41|msh22 [-bin]
SetFactory("OpenCASCADE");
Rectangle(1) = {0, 0, 0, 1, 1};
Rectangle(2) = {1, 0, 0, 1, 1};
Coherence;
Mesh.MeshSizeMax = 0.5;
e = 1e-3;
left() = Curve In BoundingBox{-e, -e, -e, e, 1+e, e};
right() = Curve In BoundingBox{2-e, -e, -e, 2+e, 1+e, e};
middle() = Curve In BoundingBox{1-e, -e, -e, 1+e, 1+e, e};
Periodic Curve{right(0)} = {left(0)} Translate{2, 0, 0};
Physical Surface("acier, à gauche") = {1};
Physical Surface("copper") = {2};
Physical Curve("left") = {left()};
Physical Curve("interface") = {middle()};
Physical Curve("right side") = {right()};
Physical Point("corner") = {1};
