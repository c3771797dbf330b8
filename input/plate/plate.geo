// A quarter of a square plate with a round hole: cells grow away from the hole. dimension: 2
DefineConstant[
  radius = {1, Name "radius of the hole"}
  side = {5, Name "half side of the plate"}
  along = {24, Name "cells along each half of the arc"}
  across = {32, Name "cells from the hole to the edge"}
];
growth = 1.07;
h = radius * Sqrt(0.5);
Point(1) = {0, 0, 0};
Point(2) = {radius, 0, 0};
Point(3) = {h, h, 0};
Point(4) = {0, radius, 0};
Point(5) = {side, 0, 0};
Point(6) = {side, side, 0};
Point(7) = {0, side, 0};
Circle(1) = {2, 1, 3};
Circle(2) = {3, 1, 4};
Line(3) = {2, 5};
Line(4) = {3, 6};
Line(5) = {4, 7};
Line(6) = {5, 6};
Line(7) = {6, 7};
Curve Loop(1) = {3, 6, -4, -1};
Plane Surface(1) = {1};
Curve Loop(2) = {4, 7, -5, -2};
Plane Surface(2) = {2};
Transfinite Curve{1, 2, 6, 7} = along + 1;
Transfinite Curve{3, 4, 5} = across + 1 Using Progression growth;
Transfinite Surface{1, 2};
Recombine Surface{1, 2};
Physical Surface("plate") = {1, 2};
Physical Curve("hole") = {1, 2};
Physical Curve("symmetry_x") = {5};   // the line x = 0
Physical Curve("symmetry_y") = {3};   // the line y = 0
Physical Curve("right") = {6};
Physical Curve("top") = {7};
