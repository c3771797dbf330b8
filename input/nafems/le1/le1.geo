// NAFEMS LE1: a quarter of an elliptic membrane. dimension: 2
DefineConstant[
  along = {32, Name "cells along the arcs"}
  across = {16, Name "cells between the arcs"}
];
Point(1) = {0, 0, 0};
Point(2) = {2, 0, 0};      // D
Point(3) = {3.25, 0, 0};   // C
Point(4) = {0, 2.75, 0};   // B
Point(5) = {0, 1, 0};      // A
Line(1) = {2, 3};
Ellipse(2) = {3, 1, 3, 4};
Line(3) = {4, 5};
Ellipse(4) = {5, 1, 2, 2};
Curve Loop(1) = {1, 2, 3, 4};
Plane Surface(1) = {1};
Transfinite Curve{1} = across + 1 Using Progression 1.06;
Transfinite Curve{-3} = across + 1 Using Progression 1.06;
// Closer together towards D, where the stress is read.
Transfinite Curve{-2, 4} = along + 1 Using Progression 1 / 1.02;
Transfinite Surface{1};
Recombine Surface{1};
Physical Surface("membrane") = {1};
Physical Curve("bottom") = {1};   // DC, y = 0
Physical Curve("outer") = {2};    // CB
Physical Curve("left") = {3};     // BA, x = 0
Physical Curve("inner") = {4};    // AD
