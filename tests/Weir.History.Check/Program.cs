using Weir.Testing.Support.History;

if (args is not [var path])
{
    Console.Error.WriteLine("usage: dotnet run -c Release --project tests/Weir.History.Check -- FILE.jsonl");
    return 2;
}

var report = HistoryChecker.Check(HistoryFile.Read(path));
Console.Write(report);
return report.IsClean ? 0 : 1;
