using Weir.Storage.Files;
using Weir.Testing.Support;
using Xunit;

namespace Weir.Storage.Tests.Files;

[Trait("Category", "Unit")]
public sealed class SimulatedDiskConformanceTests : LogFilesConformance
{
    protected override ILogFiles Files { get; } = new SimulatedDisk();
}
