// What kernels of others include for half precision, which the stand-in does not have.
#pragma once
