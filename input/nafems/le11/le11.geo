// NAFEMS LE11: cylinder, taper and sphere; a quarter of the body of revolution about z. dimension: 3
DefineConstant[
  across = {8, Name "cells through the wall"}
  along = {6, Name "cells along each of the four blocks"}
  layers = {10, Name "cells in a quarter turn"}
];
s = Sqrt(0.5);
Point(1) = {0, 0, 0};
Point(2) = {1, 0, 0};                              // A
Point(3) = {1.4, 0, 0};                            // B
Point(4) = {1.4 * Cos(Pi / 6), 0, 0.7};            // D
Point(5) = {Cos(Pi / 8), 0, Sin(Pi / 8)};          // on the sphere
Point(6) = {s, 0, s};                              // E
Point(7) = {(1.4 * Cos(Pi / 6) + 1) / 2, 0, (0.7 + 1.39) / 2};   // F, half-way along the taper
Point(8) = {1, 0, 1.39};                           // G
Point(9) = {s, 0, (s + 1.79) / 2};
Point(10) = {s, 0, 1.79};                          // H
Point(11) = {1, 0, 1.79};                          // I
Line(1) = {2, 3};
Circle(2) = {3, 1, 4};
Line(3) = {5, 4};
Circle(4) = {2, 1, 5};
Line(5) = {4, 7};
Line(6) = {6, 7};
Circle(7) = {5, 1, 6};
Line(8) = {7, 8};
Line(9) = {9, 8};
Line(10) = {6, 9};
Line(11) = {8, 11};
Line(12) = {10, 11};
Line(13) = {9, 10};
Curve Loop(1) = {1, 2, -3, -4};     Plane Surface(1) = {1};
Curve Loop(2) = {3, 5, -6, -7};     Plane Surface(2) = {2};
Curve Loop(3) = {6, 8, -9, -10};    Plane Surface(3) = {3};
Curve Loop(4) = {9, 11, -12, -13};  Plane Surface(4) = {4};
// Closer together towards A, where the stress is read.
Transfinite Curve{1, 3, 6, 9, 12} = across + 1 Using Progression 1.25;
Transfinite Curve{2, 4} = along + 3 Using Progression 1.15;
Transfinite Curve{5, 7, 8, 10, 11, 13} = along + 1;
Transfinite Surface{1, 2, 3, 4};
Recombine Surface{1, 2, 3, 4};
turned[] = {};
outer[] = {};
ends[] = {};
volumes[] = {};
For i In {1:4}
  e[] = Extrude { {0, 0, 1}, {0, 0, 0}, Pi / 2 } { Surface{i}; Layers{layers}; Recombine; };
  turned[] += e[0];
  volumes[] += e[1];
  If (i == 1)
    low = e[2];
  EndIf
  If (i == 4)
    high = e[4];
  EndIf
EndFor
Physical Volume("body") = volumes[];
Physical Surface("symmetry_y") = {1, 2, 3, 4};   // the plane y = 0
Physical Surface("symmetry_x") = turned[];       // the plane x = 0
Physical Surface("bottom") = {low};              // z = 0
Physical Surface("top") = {high};                // z = 1.79
