using System.Collections.Concurrent;
using System.Reflection;
using Xunit.v3;

[assembly: Weir.Testing.TestDeadline]

namespace Weir.Testing;

/// <summary>
/// No test may wait for ever: one that takes much longer than any should is cancelled, and shows by that what it waited for.
/// If nothing heeds that, the process ends and names the test. A test that is only run when asked for may take its time.
/// Compiled into every test project.
/// </summary>
[AttributeUsage(AttributeTargets.Assembly)]
internal sealed class TestDeadlineAttribute : BeforeAfterTestAttribute
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(15);
    private static readonly TimeSpan Grace = TimeSpan.FromMinutes(2);
    private readonly ConcurrentDictionary<string, Timer> _timers = new();

    public override void Before(MethodInfo methodUnderTest, IXunitTest test)
    {
        if (!test.Explicit)
        {
            var context = Xunit.TestContext.Current;
            var calls = 0;
            _timers[test.UniqueID] = new Timer(_ => End(context, test, isHeeded: ++calls == 1), null, Limit, Grace);
        }
    }

    public override void After(MethodInfo methodUnderTest, IXunitTest test)
    {
        if (_timers.TryRemove(test.UniqueID, out var timer))
        {
            timer.Dispose();
        }
    }

    private static void End(Xunit.ITestContext context, IXunitTest test, bool isHeeded)
    {
        if (!isHeeded)
        {
            Environment.FailFast($"{test.TestDisplayName} hangs: it was cancelled and did not end");
        }

        Console.Error.WriteLine($"{test.TestDisplayName} is cancelled: it takes more than {Limit}");
        context.CancelCurrentTest();
    }
}
