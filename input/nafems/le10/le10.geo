// NAFEMS LE10: a quarter of a thick plate between two ellipses, 0.6 m thick. dimension: 3
DefineConstant[
  along = {20, Name "cells along the arcs"}
  across = {9, Name "cells between the arcs"}
  band = {0.02, Name "height of the supported band, m"}
];
Point(1) = {0, 0, 0};
Point(2) = {2, 0, 0};
Point(3) = {3.25, 0, 0};
Point(4) = {0, 2.75, 0};
Point(5) = {0, 1, 0};
Line(1) = {2, 3};
Ellipse(2) = {3, 1, 3, 4};
Line(3) = {4, 5};
Ellipse(4) = {5, 1, 2, 2};
Curve Loop(1) = {1, 2, 3, 4};
Plane Surface(1) = {1};
// Small cells at D, on the inner arc and at the top, where the stress is wanted.
Transfinite Curve{1} = across + 1 Using Progression 1.25;
Transfinite Curve{-3} = across + 1 Using Progression 1.25;
Transfinite Curve{-2, 4} = along + 1 Using Progression 1 / 1.14;
Transfinite Surface{1};
Recombine Surface{1};
// A thin layer in the middle carries the support: the line at half the thickness of the outer face.
lower[] = Extrude {0, 0, 0.3 - band / 2} { Surface{1}; Layers{1}; Recombine; };
middle[] = Extrude {0, 0, band} { Surface{lower[0]}; Layers{1}; Recombine; };
upper[] = Extrude {0, 0, 0.3 - band / 2} { Surface{middle[0]}; Layers{{1, 3}, {0.5, 1}}; Recombine; };
Physical Volume("plate") = {lower[1], middle[1], upper[1]};
Physical Surface("bottom") = {1};
Physical Surface("top") = {upper[0]};
Physical Surface("symmetry_y") = {lower[2], middle[2], upper[2]};   // DC, y = 0
Physical Surface("outer") = {lower[3], upper[3]};                   // CB
Physical Surface("outer_middle") = {middle[3]};                     // CB at half the thickness
Physical Surface("symmetry_x") = {lower[4], middle[4], upper[4]};   // BA, x = 0
Physical Surface("inner") = {lower[5], middle[5], upper[5]};        // AD
